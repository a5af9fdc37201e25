"""What there is already: a queue's live workers, as the rules see them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from barnstorm.model.shape import Shape

Phase = Literal["waiting", "starting", "arrived", "silent"]


@dataclass(frozen=True)
class LiveWorker:
    """One live worker.

    `waiting` in the batch system; `starting`: it runs, but its pilot has not come yet; `arrived`: its pilot takes jobs,
    and what it has free the server tells; `silent`: unknown for so long that no job should wait for it.
    """

    lane: str
    shape: Shape
    phase: Phase
    new: bool = False

    @property
    def on_the_way(self) -> bool:
        return self.phase in ("waiting", "starting")


@dataclass(frozen=True)
class Place:
    """What the batch system can take, where it says: the largest worker ever, and what is free now (None: nothing)."""

    node: Shape
    free: Shape | None
    why: str = ""


@dataclass
class Supply:
    """All live workers of a queue. A lane of "" stands for the whole queue. `new`: submitted in the last minute."""

    workers: list[LiveWorker] = field(default_factory=list)
    ended_new: dict[str, int] = field(default_factory=dict)
    """By lane: workers of the last minute that have ended already; they count against the pace alone."""

    def of(self, lane: str) -> Iterable[LiveWorker]:
        return (worker for worker in self.workers if lane in ("", worker.lane))

    def live(self, lane: str = "") -> int:
        return sum(1 for _ in self.of(lane))

    def waiting(self, lane: str = "") -> int:
        return sum(worker.phase == "waiting" for worker in self.of(lane))

    def on_the_way(self, lane: str = "") -> int:
        return sum(worker.on_the_way for worker in self.of(lane))

    def cores(self, lane: str = "") -> int:
        return sum(worker.shape.cores for worker in self.of(lane))

    def new_last_minute(self, lane: str = "") -> int:
        ended = sum(number for name, number in self.ended_new.items() if lane in ("", name))
        return ended + sum(worker.new for worker in self.of(lane))
