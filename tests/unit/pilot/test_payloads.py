"""From payloads to programs, environments and verdicts."""

from pathlib import Path

import pytest

from barnstorm.model.ids import AttemptId
from barnstorm.model.payload import CommandPayload, ScriptPayload
from barnstorm.model.shape import Shape
from barnstorm.model.template import UnknownPlaceholder
from barnstorm_pilot import environment, limits
from barnstorm_pilot.ending import Killed, judge
from barnstorm_pilot.payload import CommandMissing, Finder, interpreter, prepare

PATH = "/usr/bin:/bin"


def test_a_command_is_filled_and_found(tmp_path: Path) -> None:
    program = prepare(
        CommandPayload(["sh", "-c", "echo {seed} ${HOME} {{x}}"]), {"seed": 3}, str(tmp_path), PATH, Finder()
    )
    assert program.path in ("/usr/bin/sh", "/bin/sh")
    assert program.argv == ["sh", "-c", "echo 3 ${HOME} {x}"]


def test_a_script_is_written_and_run_by_what_its_first_line_names(tmp_path: Path) -> None:
    text = "#!/usr/bin/env -S python3 -u\nprint('{seed}')\n"
    program = prepare(ScriptPayload(text, ["{seed}"], "run.py"), {"seed": 3}, str(tmp_path), PATH, Finder())
    assert program == ("/usr/bin/env", ["/usr/bin/env", "-S python3 -u", str(tmp_path / "run.py"), "3"])
    assert (tmp_path / "run.py").read_text() == text


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("echo hi", ["/bin/sh"]),
        ("#!/bin/bash", ["/bin/bash"]),
        ("#! /usr/bin/env python3", ["/usr/bin/env", "python3"]),
        ("#!", ["/bin/sh"]),
        ("#!/bin/sh -e\r", ["/bin/sh", "-e"]),
    ],
)
def test_interpreters(first: str, words: list[str]) -> None:
    assert interpreter(first + "\nmore\n") == words


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("x")
    finder = Finder()
    with pytest.raises(CommandMissing, match=r"write \./tool"):
        finder.find("tool", PATH, str(tmp_path))
    with pytest.raises(CommandMissing, match="not executable"):
        finder.find("./tool", PATH, str(tmp_path))
    with pytest.raises(CommandMissing, match="No such file"):
        finder.find("./none", PATH, str(tmp_path))
    (tmp_path / "tool").chmod(0o755)
    assert finder.find("./tool", PATH, str(tmp_path)) == f"{tmp_path}/./tool"


def test_unknown_placeholders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownPlaceholder):
        prepare(CommandPayload(["echo", "{what}"]), {"seed": 1}, str(tmp_path), PATH, Finder())


def test_the_order_of_environments() -> None:
    base = environment.base({"PATH": "/p", "TOKEN": "secret", "LC_TIME": "C", "A": "node"})
    assert base == {"PATH": "/p", "LC_TIME": "C", "LANG": "C.UTF-8"}
    places = environment.directories("/w", "/t")
    queue, task = {"A": "queue", "B": "queue", "OMP_NUM_THREADS": "9"}, {"B": "{seed}", "C": "${x} {{y}}"}
    env = environment.build(base, queue, task, {"seed": 8}, AttemptId(4, 2, 3), Shape(2, 100), ["1", "3"], places)
    assert (env["A"], env["B"], env["C"], env["OMP_NUM_THREADS"]) == ("queue", "8", "${x} {y}", "9")
    assert (env["MKL_NUM_THREADS"], env["CUDA_VISIBLE_DEVICES"]) == ("2", "1,3")
    assert (env["BARNSTORM_JOB_ID"], env["BARNSTORM_ATTEMPT"], env["BARNSTORM_ATTEMPT_NUMBER"]) == ("4.2", "4.2/3", "3")
    assert (env["HOME"], env["TMPDIR"]) == ("/w", "/t")


NEEDS = Shape(1, 100, 60, 10)


def test_verdicts() -> None:
    ok = judge(0, None, False, NEEDS, 0)
    assert (ok.state, ok.exit_code, ok.fault) == ("succeeded", 0, "")
    bad = judge(3 << 8, None, False, NEEDS, 0)
    assert (bad.state, bad.exit_code, bad.signal, bad.fault, bad.message) == ("failed", 3, None, "exit", "exit code 3")
    assert "SIGKILL" in judge(137 << 8, None, False, NEEDS, 0).message
    dead = judge(11, None, False, NEEDS, 0)
    assert (dead.exit_code, dead.signal, dead.fault) == (None, 11, "signal")
    core = judge(11 | 0x80, None, False, NEEDS, 0)
    assert core.signal == 11
    oom = judge(9, None, True, NEEDS, 99 * 1024)
    assert (oom.fault, oom.signal) == ("memory", 9)
    assert judge(137 << 8, None, True, NEEDS, 1).fault == "memory"
    assert judge(1 << 8, None, True, NEEDS, 1).fault == "exit"
    killed = judge(15, Killed("killed", "by ann"), False, NEEDS, 0)
    assert (killed.state, killed.fault, killed.message, killed.signal) == ("cancelled", "killed", "by ann", 15)
    late = judge(0, Killed("walltime", "too long"), False, NEEDS, 0)
    assert (late.state, late.fault, late.exit_code) == ("failed", "walltime", 0)


def test_limits() -> None:
    assert limits.over_memory({"pss": 100 * 1024}, NEEDS, 1.0) is None
    assert limits.over_memory({"pss": 100 * 1024 + 1}, NEEDS, 1.0) is not None
    assert limits.over_memory({"pss": 140 * 1024}, NEEDS, 1.5) is None
    assert limits.over_memory({"rss": 200 * 1024}, NEEDS, 1.0) is not None
    assert limits.over_walltime(60.0, NEEDS) is None
    assert limits.over_walltime(60.1, NEEDS) is not None
    assert limits.over_disk(10 << 20, NEEDS) is None
    assert limits.over_disk((10 << 20) + 1, NEEDS) is not None
    assert limits.over_disk(1 << 40, Shape(1, 1, 1, 0)) is None
    assert limits.worker_ends(16, 10) is None
    assert limits.worker_ends(15, 10) is not None
