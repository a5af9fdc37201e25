"""Who waits for what, inside this process: pilots for jobs, clients for events, harvesters for demand.

All of it lives on the event loop's thread. Somebody waits by registering before he looks, so that no wake-up is lost.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from barnstorm.model.shape import Shape
from barnstorm_server.store.transaction import Committed


class Bell:
    """Wakes everyone who waits, at once."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    @contextmanager
    def heard(self) -> Iterator[asyncio.Event]:
        """An event that is set by the next ring."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""
        return not self._waiting

    def ring(self) -> None:
        for event in self._waiting:
            event.set()


class PilotLine:
    """Pilots that wait for jobs, the longest-waiting first. A commit wakes as many of a queue as it has jobs for."""

    def __init__(self) -> None:
        self._queues: dict[str, OrderedDict[int, asyncio.Event]] = {}
        self._free: dict[int, Shape] = {}

    @contextmanager
    def heard(self, queue: str, pilot: int, free: Shape) -> Iterator[asyncio.Event]:
        """An event that is set when the pilot, which has `free` to give, should look again."""
        event = asyncio.Event()
        line = self._queues.setdefault(queue, OrderedDict())
        line[pilot] = event
        self._free[pilot] = free
        try:
            yield event
        finally:
            if line.get(pilot) is event:
                del line[pilot]
                self._free.pop(pilot, None)

    def asking(self, queue: str) -> dict[int, Shape]:
        """The pilots of a queue that ask for work at this moment, with what they have free."""
        return {pilot: self._free[pilot] for pilot in self._queues.get(queue, ())}

    def wake(self, jobs: int) -> None:
        """Wake up to `jobs` pilots of each queue."""
        for line in self._queues.values():
            sleeping = (event for event in line.values() if not event.is_set())
            for _, event in zip(range(jobs), sleeping, strict=False):
                event.set()

    def wake_pilots(self, pilots: set[int]) -> None:
        """Wake these pilots: there is a command for them."""
        for line in self._queues.values():
            for pilot in pilots & line.keys():
                line[pilot].set()

    def wake_all(self) -> None:
        for line in self._queues.values():
            for event in line.values():
                event.set()

    def __len__(self) -> int:
        return sum(len(line) for line in self._queues.values())


class Wakeups:
    """All that waits in this server."""

    def __init__(self) -> None:
        self.pilots = PilotLine()
        self.events = Bell()
        self.demand = Bell()
        self.logs: dict[tuple[int, int], Bell] = {}
        self.is_stopping = False

    def stop(self) -> None:
        """The server is about to stop: whoever waits is answered now, and nobody waits any more."""
        self.is_stopping = True
        self.pilots.wake_all()
        for bell in (self.events, self.demand, *self.logs.values()):
            bell.ring()

    def committed(self, what: Committed) -> None:
        """Wake whom a commit concerns."""
        if what.queues:
            self.pilots.wake_all()
        elif what.leasable:
            self.pilots.wake(what.leasable)
        if what.pilots:
            self.pilots.wake_pilots(what.pilots)
        if what.events:
            self.events.ring()
            for bell in self.logs.values():
                bell.ring()
        if what.new_demand:
            self.demand.ring()

    @contextmanager
    def log_heard(self, task: int, index: int) -> Iterator[asyncio.Event]:
        """An event that is set when a job's log has grown, or something happened to a job."""
        bell = self.logs.setdefault((task, index), Bell())
        try:
            with bell.heard() as event:
                yield event
        finally:
            if bell.is_idle:
                self.logs.pop((task, index), None)

    def log_grown(self, task: int, index: int) -> None:
        bell = self.logs.get((task, index))
        if bell is not None:
            bell.ring()
