"""Which bucket a pilot's next job comes from: priority, then age; fair shares between owners come before both later."""

from collections.abc import Iterable
from dataclasses import dataclass

from barnstorm.model.shape import Shape

from .buckets import Bucket


@dataclass(frozen=True)
class Candidate:
    """A bucket with waiting jobs that the pilot's queue may run. `head` is its oldest job, which gives its age."""

    id: int
    bucket: Bucket
    waiting: int
    head: tuple[int, int]


def order(candidates: Iterable[Candidate], owner: str | None) -> list[Candidate]:
    """The buckets in the order in which they are served; with `owner` only that one's (a pilot that isolates
    nothing).
    """
    mine = [one for one in candidates if owner is None or one.bucket.owner == owner]
    return sorted(mine, key=lambda one: (-one.bucket.priority, one.head))


def how_many(needs: Shape, free: Shape, walltime_left_s: float | None, most: int) -> int:
    """How many jobs of one shape go into `free`, at most `most`; none that outlives the worker."""
    if walltime_left_s is not None and needs.walltime_s > walltime_left_s:
        return 0
    count = most
    for name in ("cores", "memory_mib", "disk_mib", "gpus"):
        needed = getattr(needs, name)
        if needed > 0:
            count = min(count, getattr(free, name) // needed)
    return max(0, count)


def less(free: Shape, needs: Shape, count: int) -> Shape:
    """What is left of `free` when `count` jobs of that shape are in it."""
    return Shape(
        cores=free.cores - needs.cores * count,
        memory_mib=free.memory_mib - needs.memory_mib * count,
        walltime_s=free.walltime_s,
        disk_mib=free.disk_mib - needs.disk_mib * count,
        gpus=free.gpus - needs.gpus * count,
    )
