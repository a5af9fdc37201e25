"""Who waits for what, inside this process: pilots for jobs, clients for events, harvesters for demand.

All of it lives on the event loop's thread. Somebody waits by registering before he looks, so that no wake-up is lost.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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


@dataclass
class Place:
    """A pilot's place in the line: what it has free, the event that wakes it, and the last commit it was woken for."""

    free: Shape
    wave: int
    event: asyncio.Event = field(default_factory=asyncio.Event)


class PilotLine:
    """Pilots that wait for jobs, the longest-waiting first. A commit wakes as many of a queue as it has jobs for; one
    that can take none of what waits passes the word on, so each hears of a commit once at most.
    """

    def __init__(self) -> None:
        self._queues: dict[str, OrderedDict[int, Place]] = {}
        self._wave = 0

    @contextmanager
    def heard(self, queue: str, pilot: int, free: Shape) -> Iterator[asyncio.Event]:
        """An event that is set when the pilot, which has `free` to give, should look again."""
        place = Place(free, self._wave)
        line = self._queues.setdefault(queue, OrderedDict())
        line[pilot] = place
        try:
            yield place.event
        finally:
            if line.get(pilot) is place:
                del line[pilot]
            if place.event.is_set():  # it leaves without having looked
                self.pass_on(queue)

    def asking(self, queue: str) -> dict[int, Shape]:
        """The pilots of a queue that ask for work at this moment, with what they have free."""
        return {pilot: place.free for pilot, place in self._queues.get(queue, {}).items()}

    def wake(self, jobs: int) -> None:
        """Wake up to `jobs` pilots of each queue."""
        self._wave += 1
        for queue in self._queues:
            self._wake(queue, jobs)

    def pass_on(self, queue: str) -> None:
        """A pilot left jobs that it could not take: wake the next one that has not heard of them."""
        self._wake(queue, 1)

    def _wake(self, queue: str, count: int) -> None:
        line = self._queues.get(queue, OrderedDict[int, Place]())
        sleeping = (place for place in line.values() if place.wave < self._wave and not place.event.is_set())
        for _, place in zip(range(count), sleeping, strict=False):
            place.wave = self._wave
            place.event.set()

    def wake_pilots(self, pilots: set[int]) -> None:
        """Wake these pilots: there is a command for them."""
        for line in self._queues.values():
            for pilot in pilots & line.keys():
                line[pilot].event.set()

    def wake_all(self) -> None:
        for line in self._queues.values():
            for place in line.values():
                place.event.set()

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
