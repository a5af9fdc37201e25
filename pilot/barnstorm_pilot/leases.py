"""What a pilot asks for in a lease: rules without I/O."""

from typing import NamedTuple, Optional

from barnstorm.model.shape import Shape

# A job shorter than this is worth having its successor here already when it ends.
SHORT_S = 2.0
# How much work, by time, may wait here instead of elsewhere.
WINDOW_S = 0.25
MOST_AHEAD_PER_SLOT = 32
# An attempt that waited this long for room is given back, so that another pilot may run it.
GIVE_BACK_S = 5.0
# Nothing is free: room only for attempts that begin later.
NOTHING = Shape(0, 0, 0, 0, 0)


class Wish(NamedTuple):
    """The part of a lease request that says how much."""

    free: Shape
    max: int
    ahead: int


class Pace:
    """How long jobs have lasted lately: an average in which each one counts a quarter."""

    def __init__(self) -> None:
        self.mean_s: Optional[float] = None

    def add(self, wall_s: float) -> None:
        self.mean_s = wall_s if self.mean_s is None else 0.75 * self.mean_s + 0.25 * wall_s

    def ahead(self, slots: int) -> int:
        """How many attempts should wait here, so that a slot is filled again the moment it gets free."""
        if self.mean_s is None or self.mean_s >= SHORT_S:
            return 0
        per_slot = WINDOW_S / max(self.mean_s, WINDOW_S / MOST_AHEAD_PER_SLOT)
        return max(slots, int(slots * per_slot))


def wish(free: Optional[Shape], slots: int, waiting: int, pace: Pace) -> Wish:
    """What to ask for. `waiting`: attempts already here that have not begun (they take what is free first)."""
    ahead = max(0, pace.ahead(slots) - waiting)
    if free is None or waiting > 0:
        return Wish(NOTHING, ahead, ahead)
    return Wish(free, min(1000, free.cores + ahead), ahead)


def poll_wait_s(idle: bool, idle_left_s: float, longest_s: float) -> float:
    """How long a request for work may wait at the server.

    A pilot that is partly busy asks anew every few seconds, for what it has free grows; an idle one only up to its end.
    """
    return max(0.0, min(longest_s if idle else min(5.0, longest_s), idle_left_s))
