"""What a running payload may use, and when it has used too much. Rules without I/O."""

from collections.abc import Mapping
from typing import Optional

from barnstorm.model.shape import Shape

from .ending import Killed


def over_memory(sample: Mapping[str, float], needs: Shape, grace: float) -> Optional[Killed]:
    """Whether the process tree uses more memory than it asked for, by PSS, which counts shared pages once."""
    used_kb = sample.get("pss") or sample.get("rss", 0)
    if used_kb <= needs.memory_mib * 1024 * grace:
        return None
    allowed = f"{needs.memory_mib:,} MiB" + (f" × {grace:g}" if grace > 1 else "")
    return Killed("memory", f"used {used_kb / 1024:,.0f} MiB of memory, and asked for {allowed}")


def over_walltime(wall_s: float, needs: Shape) -> Optional[Killed]:
    """Whether it has run longer than it asked for."""
    if wall_s <= needs.walltime_s:
        return None
    return Killed("walltime", f"ran longer than the {needs.walltime_s:,} s it asked for")


def over_disk(used_bytes: int, needs: Shape) -> Optional[Killed]:
    """Whether its files and logs take more than it asked for. Who asked for nothing is not held to it."""
    if needs.disk_mib == 0 or used_bytes <= needs.disk_mib << 20:
        return None
    return Killed("disk", f"its files and logs take {used_bytes >> 20:,} MiB, and it asked for {needs.disk_mib:,}")


def worker_ends(walltime_left_s: float, grace_s: float) -> Optional[Killed]:
    """Whether the worker's own time is so short that payloads must end now to be reported at all."""
    if walltime_left_s > grace_s + 5:
        return None
    return Killed("walltime_left", "the worker's walltime ended before the job did")


def next_disk_look_s(took_s: float) -> float:
    """When to look at the disk again: looking must take no more than a twentieth of the time."""
    return max(2.0, 20 * took_s)
