"""Processes of this machine as /proc tells them. A pid alone names nothing: with its start time it does."""

import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A line of /proc/PID/stat, as far as it matters. `start` counts clock ticks since the machine started."""

    pid: int
    state: str
    parent: int
    session: int
    start: int

    def same(self, other: "Process") -> bool:
        """Whether both lines are about one process, and not about a pid used again."""
        return (self.pid, self.start) == (other.pid, other.start)


def parse(line: str) -> Process | None:
    """A stat line as a process; None for anything else. The program's name may hold spaces and brackets."""
    before, _, after = line.rpartition(")")
    fields = after.split()
    try:
        return Process(int(before.split(" ", 1)[0]), fields[0], int(fields[1]), int(fields[3]), int(fields[19]))
    except (ValueError, IndexError):
        return None


def look(pid: int) -> Process | None:
    """The process of a pid now, or None. Raises OSError where /proc cannot be read: that is no answer."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return parse(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return None


def alive(process: Process) -> bool:
    """Whether it still runs. A zombie does not, and where process 1 does not reap, it stays for ever."""
    now = look(process.pid)
    return now is not None and now.same(process) and now.state not in ("Z", "X")


def boot_id() -> str:
    """Which start of the machine this is: start times are counted from it."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def everything() -> list[Process]:
    """All processes that can be seen."""
    found = [look(int(name)) for name in os.listdir("/proc") if name.isdigit()]
    return [process for process in found if process is not None]


def family(leader: Process, among: Iterable[Process]) -> list[Process]:
    """The leader, its session and all descendants of both, wherever those put themselves."""
    among = list(among)
    members = {one.pid: one for one in among if one.session == leader.pid or one.same(leader)}
    while True:
        more = {one.pid: one for one in among if one.parent in members and one.pid not in members}
        if not more:
            return list(members.values())
        members.update(more)


def left_behind(leader: Process, among: Iterable[Process]) -> list[Process]:
    """What still runs in the session of a leader that has ended.

    While a session has members its number is given to no new process; should a process of that pid be there, then
    the session is a new one and none of ours.
    """
    members = [one for one in among if one.session == leader.pid]
    return [] if any(one.pid == leader.pid and not one.same(leader) for one in members) else members


def send(number: signal.Signals, processes: Iterable[Process]) -> None:
    """Signal processes; one that has gone meanwhile is passed over."""
    for one in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, number)
