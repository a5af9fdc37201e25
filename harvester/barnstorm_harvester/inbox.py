"""What other threads want of a queue's loop, and the bell that wakes it."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from barnstorm.model.workers import ServedQueue


@dataclass
class Mail:
    """All that came since the last round."""

    served: ServedQueue | None = None
    kill: set[str] = field(default_factory=set)
    strangers: list[Mapping[str, Any]] = field(default_factory=list)
    look: bool = False


class Inbox:
    """Thread-safe. Nothing that was put in is lost, and nothing wakes the loop twice."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._mail = Mail()
        self._rung = False

    def serve(self, served: ServedQueue) -> None:
        """The queue is this harvester's, and looks like this."""
        with self._condition:
            self._mail.served = served
            self._ring()

    def kill(self, workers: Iterable[str]) -> None:
        """End these workers."""
        with self._condition:
            self._mail.kill.update(workers)
            self._ring()

    def strangers(self, workers: Iterable[Mapping[str, Any]], ring: bool = True) -> None:
        """Workers that the server knows as this harvester's."""
        with self._condition:
            self._mail.strangers += workers
            if ring:
                self._ring()

    def look(self) -> None:
        """Something changed in the batch system."""
        with self._condition:
            self._mail.look = True
            self._ring()

    def ring(self) -> None:
        """Wake the loop; it sees by itself why."""
        with self._condition:
            self._ring()

    def _ring(self) -> None:
        self._rung = True
        self._condition.notify_all()

    def take(self, until: float) -> Mail:
        """Wait for the bell, at most until a time of the monotonic clock; gives what came."""
        with self._condition:
            while not self._rung and (left := until - time.monotonic()) > 0:
                self._condition.wait(left)
            taken, self._mail, self._rung = self._mail, Mail(), False
        return taken
