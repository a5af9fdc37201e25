"""The queues and their marks as all of the server sees them: parsed once, exchanged as a whole when one changes."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from barnstorm.model.base import from_wire
from barnstorm.model.marks import Mark, effective
from barnstorm.model.queue import QueueConfig

_QUEUES = text(
    "SELECT name, config, version, harvester, harvester_until, updated_at, updated_by FROM queues ORDER BY name"
)
_MARKS = text("SELECT id, queue, status, why, who, at, until FROM marks ORDER BY id")


@dataclass(frozen=True)
class CatalogQueue:
    """A queue's description with its marks."""

    config: QueueConfig
    version: int
    marks: tuple[Mark, ...] = field(default=())
    updated_at: float = 0.0
    updated_by: str = ""

    def mark(self, now: float) -> Mark:
        """The mark that counts now: the most restrictive one."""
        return effective(self.marks, now)


class Catalog:
    """Read from any thread; `load` swaps in what the database holds now. `generation` grows with each change."""

    def __init__(self) -> None:
        self.queues: Mapping[str, CatalogQueue] = {}
        self.generation = 0
        self._seen: object = None

    def load(self, connection: Connection) -> None:
        """Read queues and marks anew, if they changed."""
        rows = connection.execute(_QUEUES).all()
        marks = connection.execute(_MARKS).all()
        seen = ([(row.name, row.version) for row in rows], [tuple(mark) for mark in marks])
        if seen == self._seen:
            return
        by_queue: dict[str, list[Mark]] = {}
        for mark in marks:
            by_queue.setdefault(mark.queue, []).append(
                Mark(mark.status, mark.why, mark.who, mark.until, mark.id, mark.at)
            )
        self.queues = {
            row.name: CatalogQueue(
                from_wire(QueueConfig, json.loads(row.config)),
                row.version,
                tuple(by_queue.get(row.name, [])),
                row.updated_at,
                row.updated_by,
            )
            for row in rows
        }
        self._seen = seen
        self.generation += 1

    def status(self, queue: str, now: float | None = None) -> str:
        """The queue's effective status."""
        found = self.queues.get(queue)
        return found.mark(time.time() if now is None else now).status if found else "retired"
