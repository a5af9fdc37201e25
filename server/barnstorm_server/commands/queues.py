"""Queues: their descriptions, marks, demand and harvesters' decisions."""

from dataclasses import dataclass, replace

from sqlalchemy import text

from barnstorm.model.base import from_wire, to_wire
from barnstorm.model.marks import Mark
from barnstorm.model.queue import QueueConfig
from barnstorm.model.workers import Decision, DemandPart
from barnstorm_server.store.errors import Conflict, Forbidden, NotFound
from barnstorm_server.store.transaction import Transaction, dumps, loads

KEPT_DECISIONS = 200

_FIND = text("SELECT config, version FROM queues WHERE name = :name")
_PUT = text(
    "INSERT INTO queues (name, config, version, updated_at, updated_by) VALUES (:name, :config, 1, :now, :who)"
    " ON CONFLICT (name) DO UPDATE SET config = excluded.config, version = queues.version + 1,"
    " updated_at = excluded.updated_at, updated_by = excluded.updated_by"
)
_MARK_BY_KEY = text("SELECT id, queue, status, why, who, at, until FROM marks WHERE key = :key")
_MARK = text(
    "INSERT INTO marks (key, queue, status, why, who, at, until) VALUES (:key, :queue, :status,"
    " :why, :who, :now, :until)"
    " RETURNING id"
)
_MARK_OF = text("SELECT who FROM marks WHERE id = :id AND queue = :queue")
_UNMARK = text("DELETE FROM marks WHERE id = :id AND queue = :queue")
_DEMAND = text(
    "INSERT INTO demand (queue, version, parts, at) VALUES (:queue, 1, :parts, :now)"
    " ON CONFLICT (queue) DO UPDATE SET version = demand.version + 1, parts = excluded.parts, at = excluded.at"
    " WHERE demand.parts <> excluded.parts"
)
_DECISION = text(
    'INSERT INTO decisions (queue, lane, at, "change", why, counts) VALUES (:queue, :lane, :at, :change, :why, :counts)'
)
_FORGET = text(
    "DELETE FROM decisions WHERE queue = :queue AND id <= (SELECT max(id) FROM decisions WHERE queue = :queue) - :kept"
)


@dataclass
class PutQueue:
    """Store a queue's description, or of a known one only `blocks`; the same one again changes nothing."""

    config: QueueConfig
    who: str
    blocks: tuple[str, ...] = ()
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        row = tx.row(_FIND, name=self.config.name)
        config = self.config
        if self.blocks and row is not None:  # whatever else was changed meanwhile stays
            mine = {name: getattr(config, name) for name in self.blocks}
            config = replace(from_wire(QueueConfig, loads(row.config)), **mine)
        document = dumps(to_wire(config))
        if row is None or row.config != document:
            tx.write(_PUT, name=self.config.name, config=document, now=tx.now, who=self.who)
            tx.committed.queues = tx.committed.demand = True


@dataclass
class AddMark:
    """Put a mark on a queue; a repeat with the same key gets the first one."""

    queue: str
    key: str
    mark: Mark
    rows: int = 1

    def apply(self, tx: Transaction) -> Mark:
        if tx.row(_FIND, name=self.queue) is None:
            raise NotFound("queue", self.queue)
        known = tx.row(_MARK_BY_KEY, key=self.key)
        if known is not None:
            if known.queue != self.queue:
                raise Conflict(f"this key is that of a mark on {known.queue}", field="key", value=self.key)
            return Mark(known.status, known.why, known.who, known.until, known.id, known.at)
        mark = self.mark
        values = {"status": mark.status, "why": mark.why, "who": mark.who, "until": mark.until}
        row = tx.write_returning(_MARK, key=self.key, queue=self.queue, now=tx.now, **values)[0]
        tx.committed.queues = tx.committed.demand = True
        return Mark(mark.status, mark.why, mark.who, mark.until, row.id, tx.now)


@dataclass
class TakeMark:
    """Take a mark off a queue."""

    queue: str
    mark: int
    who: str | None = None  # only a mark of this one; none: anybody's
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        row = tx.row(_MARK_OF, id=self.mark, queue=self.queue)
        if row is None:
            raise NotFound("mark", self.mark)
        if self.who is not None and row.who != self.who:
            message = f"mark {self.mark} is {row.who}'s to take off, or an operator's"
            raise Forbidden(message, ids=[str(self.mark)])
        tx.write(_UNMARK, id=self.mark, queue=self.queue)
        tx.committed.queues = tx.committed.demand = True


@dataclass
class PutDemand:
    """Write the demand of queues; a queue's version grows only where its parts changed."""

    demand: dict[str, list[DemandPart]]
    rows: int = 10

    def apply(self, tx: Transaction) -> None:
        for queue in sorted(self.demand):
            parts = dumps([to_wire(part) for part in self.demand[queue]])
            tx.write(_DEMAND, queue=queue, parts=parts, now=tx.now)
        tx.committed.new_demand = True


def put_decisions(tx: Transaction, queue: str, decisions: list[Decision]) -> None:
    """Keep a harvester's decisions for a queue, the newest few hundred."""
    values = [
        {
            "queue": queue,
            "lane": one.lane,
            "at": tx.now,
            "change": one.change,
            "why": one.why,
            "counts": dumps(one.counts),
        }
        for one in decisions
    ]
    tx.write_many(_DECISION, values)
    if values:
        tx.write(_FORGET, queue=queue, kept=KEPT_DECISIONS)
