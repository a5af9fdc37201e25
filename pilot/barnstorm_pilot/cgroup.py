"""What this process's cgroups allow, as far as they can be read (writing is rarely delegated)."""

from collections.abc import Iterator
from typing import Optional

from . import proc

_ROOT = "/sys/fs/cgroup"


def memory_limit_mib() -> Optional[int]:
    """The tightest memory limit above this process, or None."""
    limits = [
        _number(f"{where}/{name}") for where, name in _each("memory", ("memory.max",), ("memory.limit_in_bytes",))
    ]
    # Version 1 says "no limit" by a number near 2^63.
    found = [limit >> 20 for limit in limits if limit is not None and limit < 1 << 60]
    return min(found, default=None)


def cpu_quota() -> Optional[float]:
    """How many cores' worth of time this process may use, or None."""
    found = []
    for where, name in _each("cpu", ("cpu.max",), ("cpu.cfs_quota_us",)):
        words = (proc.read(f"{where}/{name}", 100) or b"").split()
        if name == "cpu.max" and len(words) == 2 and words[0] != b"max":
            found.append(int(words[0]) / int(words[1]))
        elif name == "cpu.cfs_quota_us" and words and int(words[0]) > 0:
            found.append(int(words[0]) / (_number(f"{where}/cpu.cfs_period_us") or 100_000))
    return min(found, default=None)


def oom_kills() -> int:
    """How often the kernel has killed for memory in this process's cgroup."""
    most = 0
    for where, name in _each("memory", ("memory.events",), ("memory.oom_control",)):
        for line in (proc.read(f"{where}/{name}", 4096) or b"").splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == b"oom_kill":
                most = max(most, int(words[1]))
        break  # the group itself; the counts of those above include other people's
    return most


def _each(controller: str, v2: tuple[str, ...], v1: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(directory, file name) of this process's group and of each one above it."""
    for version, path in _groups(proc.read("/proc/self/cgroup"), controller):
        base = _ROOT if version == 2 else f"{_ROOT}/{controller}"
        parts: list[str] = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts), -1, -1):
            for name in v2 if version == 2 else v1:
                yield "/".join([base, *parts[:depth]]), name


def _groups(data: Optional[bytes], controller: str) -> Iterator[tuple[int, str]]:
    found: dict[int, str] = {}
    for line in (data or b"").decode(errors="replace").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(","):
            found[1] = path
        elif number == "0" and not names:
            found[2] = path
    for version in sorted(found):
        yield version, found[version]


def _number(path: str) -> Optional[int]:
    word = (proc.read(path, 100) or b"").strip()
    return int(word) if word.lstrip(b"-").isdigit() else None
