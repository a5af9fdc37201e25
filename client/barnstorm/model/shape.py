"""Shapes: what a job needs and what a worker slot has, in the same five numbers."""

from dataclasses import dataclass
from typing import Optional

from .base import Spec, field

LONGEST_S = 10 * 365 * 86400
DIMENSIONS = ("cores", "memory_mib", "walltime_s", "disk_mib", "gpus")


@dataclass
class Shape(Spec):
    """Cores, memory, walltime, disk and GPUs of a job, of a worker slot, or of what is free in one: that may be 0."""

    cores: int = field(1, ge=0, le=100_000, unit="cores")
    memory_mib: int = field(2000, ge=0, le=2**30, unit="MiB", doc="memory for the whole job, 1 MiB = 2^20 bytes")
    walltime_s: int = field(3600, ge=0, le=LONGEST_S, unit="s")
    disk_mib: int = field(1000, ge=0, le=2**30, unit="MiB", doc="scratch space in the work directory")
    gpus: int = field(0, ge=0, le=1024, unit="GPUs")

    def fits(self, slot: "Shape") -> Optional[str]:
        """None where this shape fits into `slot`, else the first number that does not, as words."""
        for name in DIMENSIONS:
            needed, there = getattr(self, name), getattr(slot, name)
            if needed > there:
                return f"{name} {needed:,} > {there:,}"
        return None


@dataclass
class Needs(Shape):
    """What a job asks of the place it runs at: a shape, and marks that a queue must carry."""

    cores: int = field(1, ge=1, le=100_000, unit="cores")
    memory_mib: int = field(2000, ge=1, le=2**30, unit="MiB", doc="memory for the whole job, 1 MiB = 2^20 bytes")
    walltime_s: int = field(3600, ge=1, le=LONGEST_S, unit="s", doc="longer than this it is killed")
    tags: list[str] = field(factory=list, doc="each must be among the queue's tags")
    arch: Optional[str] = field(
        None, pattern=r"^[a-z0-9_]{1,32}$", doc="processor architecture, as `uname -m` prints it"
    )

    def shape(self, memory_mib: Optional[int] = None) -> Shape:
        """The five numbers alone; `memory_mib` is a job's own, where a rule raised it above its task's."""
        return Shape(self.cores, memory_mib or self.memory_mib, self.walltime_s, self.disk_mib, self.gpus)
