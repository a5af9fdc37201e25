"""What may still be added: each limit with what is left of it, and its own words for having stopped something."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from barnstorm.model.queue import Limits, QueueConfig, lanes_of
from barnstorm.model.shape import Shape

from .packing import beside, less
from .supply import Place, Supply


@dataclass
class Bound:
    """One limit. `lane` is empty where it holds for the whole queue."""

    lane: str
    kind: str
    limit: int
    used: int

    def room(self, shape: Shape) -> int:
        left = max(0, self.limit - self.used)
        return left // shape.cores if self.kind == "cores" else left

    def take(self, shape: Shape, number: int) -> None:
        self.used += number * shape.cores if self.kind == "cores" else number

    def __str__(self) -> str:
        whose = "lane limit" if self.lane else "limit"
        if self.kind == "workers":
            return f"{whose} {self.limit:,} workers"
        if self.kind == "waiting_workers":
            return f"backlog {self.used:,} of {self.limit:,}" + (" in this lane" if self.lane else "")
        if self.kind == "cores":
            return f"{whose} {self.limit:,} cores, {self.used:,} in use"
        return f"{whose} {self.limit:,} new workers a minute"


class Budget:
    """All limits of a queue together. `grant` never gives more than the tightest has left."""

    def __init__(self, queue: QueueConfig, defaults: Limits, supply: Supply, place: Place | None) -> None:
        self._bounds = list(_bounds("", queue.limits, defaults, supply))
        for lane in lanes_of(queue):
            self._bounds += _bounds(lane.name, lane.limits, Limits(), supply)
        self._place = place
        self._free = place.free if place is not None else None

    def grant(self, lane: str, shape: Shape, wanted: int) -> tuple[int, str]:
        """How many of `wanted` workers may be added, and what kept the others away."""
        bounds = [bound for bound in self._bounds if bound.lane in ("", lane)]
        number, stopped = wanted, ""
        for bound in bounds:
            if bound.room(shape) < number:
                number, stopped = bound.room(shape), str(bound)
        if self._place is not None:
            there = beside(shape, self._free) if self._free is not None else 0
            if there < number:
                number, stopped = there, f"room for {there or 'none'} more: {self._place.why}"
        for bound in bounds:
            bound.take(shape, number)
        if self._free is not None and number:
            self._free = less(self._free, shape, number)
        return number, stopped


def _bounds(lane: str, limits: Limits, defaults: Limits, supply: Supply) -> Iterable[Bound]:
    used = {
        "workers": supply.live(lane),
        "waiting_workers": supply.waiting(lane),
        "new_workers_per_min": supply.new_last_minute(lane),
        "cores": supply.cores(lane),
    }
    kinds: Sequence[str] = tuple(used)
    for kind in kinds:
        limit = getattr(limits, kind)
        limit = getattr(defaults, kind) if limit is None else limit
        if limit is not None:
            yield Bound(lane, kind, limit, used[kind])
