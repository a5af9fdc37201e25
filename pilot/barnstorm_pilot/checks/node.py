"""The checks of cores, memory, disk, work directory and Python. They also say what this node can really give."""

import contextlib
import os
import platform
import shutil
import stat
import sys
from typing import Optional

from .. import cgroup
from . import Check

LEAST_DISK_MIB = 16
LEAST_INODES = 1000


def usable_cores() -> int:
    """Cores by affinity and by quota."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup.cpu_quota()
    return max(1, min(there, round(quota))) if quota else there


def memory_total_mib() -> Optional[int]:
    """The machine's memory."""
    return _meminfo("MemTotal")


def usable_memory_mib() -> Optional[int]:
    """The machine's memory, or the tightest limit of this process's group."""
    known = [one for one in (memory_total_mib(), cgroup.memory_limit_mib()) if one]
    return min(known, default=None)


def free_disk_mib(work_dir: str) -> int:
    return shutil.disk_usage(work_dir).free >> 20


def cores_check(asked: Optional[int]) -> Check:
    def check() -> tuple[bool, str, bool]:
        there = usable_cores()
        if asked and asked > there:
            return False, f"{there} usable of {asked} asked for: gives out {there}", False
        return True, f"{there} usable", False

    return check


def memory_check(asked: Optional[int]) -> Check:
    def check() -> tuple[bool, str, bool]:
        there, available = usable_memory_mib(), _meminfo("MemAvailable")
        said = f"{there or 0:,} MiB, of which {available or 0:,} free"
        if asked and there and asked > there:
            return False, f"{said}; {asked:,} asked for: gives out {there:,}", False
        if asked and available and asked > available:
            return False, f"{said}; {asked:,} asked for: others use this machine's memory", False
        return True, said, False

    return check


def disk_check(work_dir: str, asked: Optional[int]) -> Check:
    def check() -> tuple[bool, str, bool]:
        free, inodes = free_disk_mib(work_dir), os.statvfs(work_dir)
        said = f"{free:,} MiB free at {work_dir}"
        if free < LEAST_DISK_MIB:
            return False, f"{said}: full", True
        if inodes.f_files and inodes.f_favail < LEAST_INODES:
            return False, f"{said}, but only {inodes.f_favail} inodes", True
        if asked and asked > free:
            return False, f"{said}; {asked:,} asked for: gives out what is there", False
        return True, said, False

    return check


def work_dir_check(work_dir: str) -> Check:
    """Can files be made there, and is it ours alone to change? Programs from a noexec place need an interpreter."""

    def check() -> tuple[bool, str, bool]:
        probe = os.path.join(work_dir, f".probe-{os.getpid()}")
        try:
            with open(probe, "wb") as file:
                file.write(b"#!/bin/sh\nexit 0\n")
                os.fchmod(file.fileno(), 0o700)
            runs = os.access(probe, os.X_OK) and not os.statvfs(work_dir).f_flag & getattr(os, "ST_NOEXEC", 8)
        except OSError as error:
            return False, f"{work_dir} is not writable: {error.strerror}", True
        finally:
            with contextlib.suppress(OSError):  # it may never have been made
                os.unlink(probe)
        mode = os.stat(work_dir).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return False, f"{work_dir} may be changed by every user of this node", True
        if not runs:
            return False, f"{work_dir} is mounted noexec: programs brought as inputs cannot be run there", False
        return True, work_dir, True

    return check


def python_check() -> tuple[bool, str, bool]:
    return sys.version_info >= (3, 9), f"Python {platform.python_version()}", True


def basic(
    work_dir: str, cores: Optional[int], memory_mib: Optional[int], disk_mib: Optional[int]
) -> list[tuple[str, Check]]:
    """The quick checks every pilot makes before it says hello."""
    return [
        ("python", python_check),
        ("cores", cores_check(cores)),
        ("memory", memory_check(memory_mib)),
        ("work_dir", work_dir_check(work_dir)),
        ("disk", disk_check(work_dir, disk_mib)),
    ]


def _meminfo(name: str) -> Optional[int]:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) >> 10
    except OSError:
        pass  # no Linux: sysconf knows the total
    if name == "MemTotal" and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE")) >> 20
    return None
