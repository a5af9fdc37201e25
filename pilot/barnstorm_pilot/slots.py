"""The slot pool: cores, memory, disk and GPUs of this pilot, handed out exactly. Pure accounting, no I/O."""

from collections.abc import Sequence
from typing import Optional

from barnstorm.model.shape import Shape


class SlotPool:
    """What a pilot has, and who holds which part of it."""

    def __init__(self, total: Shape, gpu_ids: Sequence[str] = ()) -> None:
        self.total = total
        self._held: dict[str, tuple[Shape, list[str]]] = {}
        self._files: dict[str, int] = {}
        self._gpus = list(gpu_ids) if gpu_ids else [str(n) for n in range(total.gpus)]
        self.cores, self.memory_mib, self.disk_mib = total.cores, total.memory_mib, total.disk_mib

    @property
    def gpus(self) -> int:
        return len(self._gpus)

    def lacks(self, needs: Shape) -> Optional[str]:
        """None where `needs` fits into what is free now, else what is missing. Walltime is not the pool's matter."""
        for name in ("cores", "memory_mib", "disk_mib", "gpus"):
            needed, there = getattr(needs, name), getattr(self, name)
            if needed > there:
                return f"{name} {needed:,} > {there:,}"
        return None

    def take(self, who: str, needs: Shape) -> list[str]:
        """Give `needs` to `who`; returns its GPUs. Raises ValueError where it does not fit or `who` has something."""
        missing = self.lacks(needs)
        if missing or who in self._held:
            raise ValueError(f"{who} cannot have {needs}: {missing or 'it holds something already'}")
        self.cores -= needs.cores
        self.memory_mib -= needs.memory_mib
        self.disk_mib -= needs.disk_mib
        given, self._gpus = self._gpus[: needs.gpus], self._gpus[needs.gpus :]
        self._held[who] = (needs, given)
        return given

    def release(self, who: str) -> None:
        """Take back what `who` holds, but its disk: its files are still there. Holding nothing is no error."""
        needs, given = self._held.pop(who, (None, []))
        if needs is None:
            return
        self.cores += needs.cores
        self.memory_mib += needs.memory_mib
        self._gpus = sorted(self._gpus + given)
        self._files[who] = needs.disk_mib

    @property
    def cleaning(self) -> bool:
        """Whether disk is about to become free."""
        return bool(self._files)

    def cleaned(self, who: str) -> None:
        """The files of `who` are gone: take back its disk."""
        self.disk_mib += self._files.pop(who, 0)

    def free(self, walltime_s: int) -> Optional[Shape]:
        """What is free, as a shape; None when no job at all could fit."""
        if self.cores < 1 or self.memory_mib < 1:
            return None
        return Shape(self.cores, self.memory_mib, max(1, walltime_s), self.disk_mib, self.gpus)
