"""Queue status: the most restrictive of a queue's marks, each with who, why and until."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Optional

from .base import Spec, field

Status = Literal["online", "brokeroff", "test", "draining", "paused", "offline", "retired"]

# From the least to the most restrictive.
ORDER = ("online", "brokeroff", "test", "draining", "paused", "offline", "retired")


@dataclass
class Mark(Spec):
    """A word on a queue. It ends by itself at `until` (epoch seconds, server time); none: until it is taken off."""

    status: Status
    why: str = field("", max_length=500)
    who: str = ""
    until: Optional[float] = field(None, unit="s", doc="epoch seconds")
    id: int = 0
    at: float = 0.0


def effective(marks: Iterable[Mark], now: float) -> Mark:
    """The most restrictive mark that has not ended; a queue without marks is online."""
    live = [mark for mark in marks if mark.until is None or mark.until > now]
    return max(live, key=lambda mark: ORDER.index(mark.status), default=Mark("online"))


def new_workers(status: str) -> str:
    """Which demand may start workers: `all`, `named` (jobs that name the queue), `test` or `none`."""
    return {"online": "all", "brokeroff": "named", "test": "test"}.get(status, "none")


def pilots_take(status: str) -> str:
    """What idle pilots may lease: `all`, `named`, `test` or `none`."""
    return new_workers(status)


def pilots_stay(status: str) -> bool:
    """Whether idle pilots wait for work rather than leave."""
    return status in ("online", "brokeroff", "test", "paused")
