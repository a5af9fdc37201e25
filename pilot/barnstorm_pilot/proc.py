"""Reading /proc: who is whose child, and what a process uses. A process may vanish at any moment: then None."""

import os
from collections.abc import Iterable
from typing import NamedTuple, Optional

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
PAGE_KB = (os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096) // 1024


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that matter here; CPU includes that of children it has waited for."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    utime_s: float
    stime_s: float
    threads: int
    started: int
    vmem_kb: int
    rss_kb: int


def read(path: str, size: int = 65536) -> Optional[bytes]:
    """The first bytes of a file of /proc; None where it is gone or not ours to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, size)
    except OSError:
        return None
    finally:
        os.close(fd)


def stat(pid: int) -> Optional[Stat]:
    """A process's line, or None when it is gone."""
    data = read(f"/proc/{pid}/stat", 4096)
    return parse_stat(data) if data else None


def parse_stat(data: bytes) -> Optional[Stat]:
    """The program's name may hold anything, brackets and spaces included: the fields begin after its last bracket."""
    try:
        pid = int(data[: data.index(b" ")])
        f = data[data.rindex(b")") + 2 :].split()
        return Stat(
            pid,
            f[0].decode(),
            int(f[1]),
            int(f[2]),
            int(f[3]),
            (int(f[11]) + int(f[13])) / TICKS,
            (int(f[12]) + int(f[14])) / TICKS,
            int(f[17]),
            int(f[19]),
            int(f[20]) // 1024,
            int(f[21]) * PAGE_KB,
        )
    except (ValueError, IndexError):
        return None


def pids() -> list[int]:
    """All processes that can be seen."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def newer_than(pid: int) -> list[int]:
    """Processes that may have been started after `pid` was. Numbers are given in rising order, and wrap around."""
    data = read("/proc/loadavg", 200)
    try:
        last = int(data.split()[4]) if data else 0
    except (ValueError, IndexError):
        last = 0
    if pid <= last <= pid + 64:
        return list(range(pid + 1, last + 1))
    if last > pid:
        return [one for one in pids() if one > pid]
    return pids()


def family_of(roots: Iterable[int]) -> dict[int, list[Stat]]:
    """The live process trees below each root, the root included; one pass over /proc for all of them."""
    wanted = list(roots)
    if _HAS_CHILDREN:
        return {root: _tree_by_children(root) for root in wanted}
    by_parent: dict[int, list[Stat]] = {}
    by_pid: dict[int, Stat] = {}
    for pid in pids():
        found = stat(pid)
        if found:
            by_pid[pid] = found
            by_parent.setdefault(found.parent, []).append(found)
    return {root: _tree_by_table(root, by_pid, by_parent) for root in wanted}


def below(pid: int) -> list[int]:
    """All living descendants of a process (zombies do not count)."""
    return [one.pid for one in family_of([pid])[pid] if one.pid != pid and one.state != "Z"]


def children(pid: int) -> list[Stat]:
    """The children of a process, zombies included."""
    if _HAS_CHILDREN:
        found = [stat(one) for one in _child_pids(pid)]
    else:
        found = [one for one in map(stat, pids()) if one is not None and one.parent == pid]
    return [one for one in found if one is not None]


def _tree_by_table(root: int, by_pid: dict[int, Stat], by_parent: dict[int, list[Stat]]) -> list[Stat]:
    tree = [by_pid[root]] if root in by_pid else []
    seen: set[int] = {root}
    waiting = [root]
    while waiting:
        for child in by_parent.get(waiting.pop(), ()):
            if child.pid not in seen:
                seen.add(child.pid)
                tree.append(child)
                waiting.append(child.pid)
    return tree


def _tree_by_children(root: int) -> list[Stat]:
    tree, waiting, seen = [], [root], {root}
    while waiting:
        pid = waiting.pop()
        found = stat(pid)
        if found:
            tree.append(found)
        for child in _child_pids(pid):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    return tree


def _child_pids(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for thread in threads:
        found += map(int, (read(f"/proc/{pid}/task/{thread}/children") or b"").split())
    return found


def memory(pid: int) -> Optional[tuple[int, int]]:
    """(pss, swap) of a process in kB; None where the kernel does not tell."""
    data = read(f"/proc/{pid}/smaps_rollup", 4096)
    if not data:
        return None
    pss = swap = 0
    for line in data.split(b"\n"):
        if line.startswith(b"Pss:"):
            pss = int(line.split()[1])
        elif line.startswith(b"Swap:"):
            swap = int(line.split()[1])
    return pss, swap


IoCounts = tuple[int, int, int, int]


def io(pid: int) -> Optional[IoCounts]:
    """(rchar, wchar, read_bytes, write_bytes) of a process, those of children it has waited for included."""
    return parse_io(read(f"/proc/{pid}/io", 1024))


def parse_io(data: Optional[bytes]) -> Optional[IoCounts]:
    """The counts in the text of /proc/PID/io."""
    if not data:
        return None
    told = dict(line.split(b": ") for line in data.splitlines() if b": " in line)
    try:
        return tuple(int(told[key]) for key in (b"rchar", b"wchar", b"read_bytes", b"write_bytes"))  # type: ignore[return-value]
    except (KeyError, ValueError):
        return None


def network() -> tuple[int, int, int, int]:
    """(rx_bytes, rx_packets, tx_bytes, tx_packets) of all this machine's interfaces: no process has its own count."""
    totals = [0, 0, 0, 0]
    for line in (read("/proc/net/dev") or b"").splitlines()[2:]:
        fields = line.partition(b":")[2].split()
        if len(fields) >= 10:
            for n, column in enumerate((0, 1, 8, 9)):
                totals[n] += int(fields[column])
    return totals[0], totals[1], totals[2], totals[3]


def has_mark(pid: int, mark: bytes) -> bool:
    """Whether a process was started with `mark` (NAME=value) in its environment."""
    data = read(f"/proc/{pid}/environ", 1 << 20)
    return data is not None and mark in data.split(b"\0")


# Not every kernel lists children; without the list the whole of /proc is read.
_HAS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
