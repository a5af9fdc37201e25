"""Processes by /proc: a pid used again is another process, and a zombie does not run."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from barnstorm_plugins.submitters.base import InvalidOptions
from barnstorm_plugins.submitters.exits import ExitWatch
from barnstorm_plugins.submitters.machine import cores_for_pilots, disk_mib, memory_for_pilots
from barnstorm_plugins.submitters.processes import Process, alive, boot_id, family, left_behind, look, parse

LINE = "4711 (a (very) odd name) S 1 4711 4711 0 -1 4194304 67 0 1 0 0 0 0 0 20 0 1 0 322305 2654208 403"


def test_a_stat_line() -> None:
    assert parse(LINE) == Process(4711, "S", 1, 4711, 322305)


@pytest.mark.parametrize("line", ["", "void\n", "4711 (sh) S 1", "x (y) z"])
def test_what_is_no_stat_line(line: str) -> None:
    assert parse(line) is None


def test_this_process() -> None:
    me = look(os.getpid())
    assert me is not None
    assert alive(me)
    assert not alive(replace(me, start=me.start - 1)), "the same pid, started at another time"
    assert look(2**22 + 1) is None
    assert len(boot_id()) == 36


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = look(child.pid)
    assert process is not None
    ended = threading.Event()
    watch = ExitWatch(ended.set)
    watch.add(process)
    watch.add(process)
    assert alive(process)
    assert child.stdin is not None
    child.stdin.close()
    assert ended.wait(10)
    there = look(child.pid)
    assert there is not None
    assert there.state == "Z"
    assert not alive(process)
    child.wait()
    watch.close()


def test_watching_what_is_gone_wakes_at_once() -> None:
    me = look(os.getpid())
    assert me is not None
    ended = threading.Event()
    watch = ExitWatch(ended.set)
    watch.add(replace(me, start=1))
    assert ended.is_set()
    watch.close()


def make(pid: int, parent: int, session: int, start: int = 1) -> Process:
    return Process(pid, "S", parent, session, start)


def test_family_is_session_and_descendants() -> None:
    leader = make(10, 1, 10)
    all_of_them = [leader, make(11, 10, 10), make(12, 11, 12), make(13, 12, 12), make(14, 1, 10), make(20, 1, 20)]
    assert {one.pid for one in family(leader, all_of_them)} == {10, 11, 12, 13, 14}


def test_left_behind_is_never_a_new_session_of_that_number() -> None:
    leader = make(10, 1, 10)
    assert [one.pid for one in left_behind(leader, [make(11, 1, 10), make(20, 1, 20)])] == [11]
    assert left_behind(leader, [make(10, 1, 10, start=99), make(11, 10, 10, start=99)]) == []


def test_the_machine() -> None:
    assert cores_for_pilots(environment={}) >= 1
    assert cores_for_pilots(3, {}) == 3
    assert cores_for_pilots(3, {"BARNSTORM_LOCAL_CORES": "5"}) == 5
    assert memory_for_pilots(environment={}) > 100
    assert memory_for_pilots(None, {"BARNSTORM_LOCAL_MEMORY_MIB": "500"}) == 500
    assert disk_mib(Path("/not/there/yet")) >= 0
    with pytest.raises(InvalidOptions, match="BARNSTORM_LOCAL_CORES"):
        cores_for_pilots(None, {"BARNSTORM_LOCAL_CORES": "many"})
