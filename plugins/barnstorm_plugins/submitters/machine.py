"""What this machine has for workers: cores and memory after affinity and cgroup limits, and free disk."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from .base import InvalidOptions

# The operating system, the server and the harvester live on the same machine.
_MEMORY_SHARE = 0.9
_DISK_SHARE = 0.9
_MIB = 2**20
_CGROUPS = Path("/sys/fs/cgroup")


def cores_for_pilots(told: int | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Cores that this process may use. `told` says otherwise, and BARNSTORM_LOCAL_CORES before it."""
    told = _told(environment, "BARNSTORM_LOCAL_CORES") or told
    return told or max(1, min([len(os.sched_getaffinity(0)), *_quotas()]))


def memory_for_pilots(told: int | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Nine tenths of the memory that this process may use, in MiB; `told`, BARNSTORM_LOCAL_MEMORY_MIB as for cores."""
    told = _told(environment, "BARNSTORM_LOCAL_MEMORY_MIB") or told
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return told or max(1, int(min([total, *_memory_limits()]) * _MEMORY_SHARE) // _MIB)


def disk_mib(path: Path) -> int:
    """Nine tenths of what a user may still write where `path` will lie."""
    while not path.exists() and path != path.parent:
        path = path.parent
    there = os.statvfs(path)
    return int(there.f_bavail * there.f_frsize * _DISK_SHARE) // _MIB


def _told(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidOptions(name, text, "must be a whole number above 0")
    return int(text)


def _quotas() -> Iterator[int]:
    for group in _groups("cpu"):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if not quota:
            quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield math.ceil(int(quota) / int(period))


def _memory_limits() -> Iterator[int]:
    for group in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(group / name)
            if text.isdigit():
                yield int(text)


def _groups(controller: str) -> Iterator[Path]:
    """This process's cgroup directories for a controller, up to the root: a limit of any of them counts."""
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            root = _CGROUPS
        elif controller in controllers.split(","):
            root = _CGROUPS / controller
        else:
            continue
        own = root / path.lstrip("/")
        while own != root:
            yield own
            own = own.parent
        yield root


def _read(path: Path) -> str:
    """A small file of the kernel's; one that is not there says nothing."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
