"""How many jobs workers hold. Counts, not single jobs: a million equal jobs cost as much as one."""

from dataclasses import dataclass, field

from barnstorm.model.shape import Shape

# What jobs in one worker share. Walltime is not among them: they run beside each other.
_SHARED = ("cores", "memory_mib", "disk_mib", "gpus")


def beside(job: Shape, slot: Shape) -> int:
    """How many jobs of one shape fit into `slot` beside each other; 0 where not even one does."""
    if job.fits(slot) is not None:
        return 0
    return min(int(getattr(slot, name) // getattr(job, name)) for name in _SHARED if getattr(job, name) > 0)


def less(slot: Shape, job: Shape, jobs: int) -> Shape:
    """What `jobs` jobs of one shape leave of a slot."""
    left = {name: getattr(slot, name) - jobs * getattr(job, name) for name in _SHARED}
    return Shape(walltime_s=slot.walltime_s, **left)


@dataclass
class Bins:
    """Room for jobs: how many slots are there with so much free."""

    slots: list[tuple[Shape, int]] = field(default_factory=list)

    def add(self, free: Shape, number: int = 1) -> None:
        if number > 0:
            self.slots.append((free, number))

    def fill(self, job: Shape, jobs: int) -> int:
        """Put jobs into the slots, first fit; returns how many found no room."""
        after: list[tuple[Shape, int]] = []
        for free, number in self.slots:
            each = beside(job, free) if jobs > 0 else 0
            if each == 0:
                after.append((free, number))
                continue
            full = min(number, jobs // each)
            rest = min(jobs - full * each, each) if full < number else 0
            jobs -= full * each + rest
            untouched = number - full - (1 if rest else 0)
            after += [(less(free, job, each), full)] if full else []
            after += [(less(free, job, rest), 1)] if rest else []
            after += [(free, untouched)] if untouched else []
        self.slots = after
        return jobs
