"""Harvesters and their workers: who serves which queue, planned workers, and what batch systems say of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from barnstorm.model.base import to_wire
from barnstorm.model.ids import InvalidId, parse_prefixed
from barnstorm.model.states import WORKER
from barnstorm.model.workers import HarvesterHello, HarvesterOrders, ServedQueue, WorkerPlan, WorkerReport
from barnstorm_server.store.catalog import Catalog
from barnstorm_server.store.errors import Conflict, NotFound
from barnstorm_server.store.transaction import Transaction, dumps

from .queues import put_decisions

LEASE_S = 30.0
EVERY_S = 5.0

_HARVESTER = text(
    "INSERT INTO harvesters (name, version, host, info, seen_at, created_at, stopped_at)"
    " VALUES (:name, :version, :host, :info, :now, :now, :stopped)"
    " ON CONFLICT (name) DO UPDATE SET version = excluded.version, host = excluded.host, info = excluded.info,"
    " seen_at = excluded.seen_at, stopped_at = excluded.stopped_at"
)
_SERVE = text(
    "UPDATE queues SET harvester = :name, harvester_until = :until WHERE name = :queue"
    " AND (harvester = :name OR harvester IS NULL OR harvester_until < :now)"
)
_LET_GO = text("UPDATE queues SET harvester = NULL, harvester_until = NULL WHERE harvester = :name")
_KILLS = text("SELECT id FROM workers WHERE harvester = :name AND kill IS NOT NULL AND ended_at IS NULL ORDER BY id")
_SERVED_BY = text("SELECT harvester, harvester_until FROM queues WHERE name = :queue")
_BY_KEY = text("SELECT id FROM workers WHERE key = :key")
_PLAN = text(
    "INSERT INTO workers (key, queue, harvester, lane, shape, state, why, created_at)"
    " VALUES (:key, :queue, :harvester, :lane, :shape, 'planned', :why, :now) RETURNING id"
)
_WORKER = text("SELECT id, queue, harvester, state FROM workers WHERE id = :id")
_MOVE = text(
    "UPDATE workers SET state = :state, unknown = :unknown, batch_id = coalesce(:batch_id, batch_id),"
    " node = coalesce(node, :node), exit_code = coalesce(:exit_code, exit_code), message = coalesce(:message, message),"
    " log_tail = coalesce(:log_tail, log_tail), started_at = coalesce(started_at, :started),"
    " ended_at = :ended WHERE id = :id"
)
_PILOT = text("SELECT id, state FROM pilots WHERE worker_id = :worker ORDER BY id DESC LIMIT 1")
_KILL = text("UPDATE workers SET kill = coalesce(kill, :why) WHERE id = :id AND ended_at IS NULL")


@dataclass
class HarvesterBeat:
    """Renew a harvester's hold on its queues and keep its decisions; answers its orders."""

    name: str
    hello: HarvesterHello
    allowed: tuple[str, ...]
    catalog: Catalog
    rows: int = 10

    def apply(self, tx: Transaction) -> HarvesterOrders:
        hello = self.hello
        info = {"submitters": hello.submitters, "batch": hello.batch, "pid": hello.pid}
        tx.write(
            _HARVESTER,
            name=self.name,
            version=hello.version,
            host=hello.host,
            info=dumps(info),
            now=tx.now,
            stopped=tx.now if hello.stopping else None,
        )
        if hello.stopping:
            tx.write(_LET_GO, name=self.name)
            return HarvesterOrders(every_s=EVERY_S)
        orders = HarvesterOrders(every_s=EVERY_S, kill=[f"w{row.id}" for row in tx.rows(_KILLS, name=self.name)])
        for name, known in self.catalog.queues.items():
            if (self.allowed and name not in self.allowed) or known.config.harvester not in ("", self.name):
                continue
            if tx.write(_SERVE, name=self.name, queue=name, now=tx.now, until=tx.now + LEASE_S):
                mark = known.mark(tx.now)
                orders.queues.append(ServedQueue(name, known.config, known.version, mark.status, list(known.marks)))
        for served in orders.queues:
            put_decisions(tx, served.name, hello.decisions.get(served.name, []))
        return orders


@dataclass
class PlanWorkers:
    """Make workers known before they are submitted. Answers (key, worker id) for each; a known key gives its worker."""

    queue: str
    harvester: str
    plans: list[WorkerPlan]

    @property
    def rows(self) -> int:
        return len(self.plans)

    def apply(self, tx: Transaction) -> list[tuple[str, int]]:
        served = tx.row(_SERVED_BY, queue=self.queue)
        if served is None:
            raise NotFound("queue", self.queue)
        if served.harvester not in (None, self.harvester) and (served.harvester_until or 0) > tx.now:
            raise Conflict(f"queue {self.queue} is served by harvester {served.harvester}", ids=[self.queue])
        planned = []
        for plan in self.plans:
            key = f"{self.harvester}/{plan.key}"
            known = tx.row(_BY_KEY, key=key)
            if known is None:
                known = tx.write_returning(
                    _PLAN,
                    key=key,
                    queue=self.queue,
                    harvester=self.harvester,
                    lane=plan.lane,
                    shape=dumps(to_wire(plan.shape)),
                    why=plan.why,
                    now=tx.now,
                )[0]
            planned.append((plan.key, int(known.id)))
        return planned


@dataclass
class ReportWorkers:
    """Apply a batch system's word on workers. A state never goes back."""

    harvester: str
    reports: list[WorkerReport]

    @property
    def rows(self) -> int:
        return len(self.reports)

    def apply(self, tx: Transaction) -> list[dict[str, Any]]:
        return [self._one(tx, one) for one in self.reports]

    def _one(self, tx: Transaction, told: WorkerReport) -> dict[str, Any]:
        try:
            number = parse_prefixed("w", told.worker)
        except InvalidId:
            return {"worker": told.worker, "status": "stale", "state": None, "pilot": None}
        row = tx.row(_WORKER, id=number)
        if row is None or row.harvester != self.harvester:
            return {"worker": told.worker, "status": "stale", "state": None, "pilot": None}
        pilot = tx.row(_PILOT, worker=number)
        word = {"worker": told.worker, "state": row.state, "pilot": pilot.state if pilot else None}
        if row.state in WORKER.terminal:
            return {**word, "status": "repeated" if row.state == told.state else "stale"}
        moves = row.state != told.state and WORKER.may(row.state, told.state)
        state = told.state if moves else row.state
        ended = tx.now - (told.ended_ago_s or 0.0) if state in WORKER.terminal else None
        tx.write(
            _MOVE,
            id=number,
            state=state,
            unknown=told.unknown,
            batch_id=told.batch_id or None,
            node=told.node or None,
            exit_code=told.exit_code,
            message=told.message or None,
            log_tail=told.log_tail or None,
            started=tx.now - (told.started_ago_s or 0.0) if state == "running" else None,
            ended=ended,
        )
        if ended is not None:
            tx.committed.demand = tx.committed.workers_ended = True
        return {**word, "state": state, "status": "accepted"}


@dataclass
class KillWorker:
    """A person wants a worker ended; its harvester hears of it with its next heartbeat."""

    worker: int
    why: str
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        if tx.row(_WORKER, id=self.worker) is None:
            raise NotFound("worker", f"w{self.worker}")
        tx.write(_KILL, id=self.worker, why=self.why)
