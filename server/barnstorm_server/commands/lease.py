"""Leases: a pilot's reports and its next grants in one transaction."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, text

from barnstorm.model.base import from_wire
from barnstorm.model.collection import Files, values
from barnstorm.model.ids import AttemptId
from barnstorm.model.marks import pilots_take
from barnstorm.model.pilots import Clock, Command, Grant, LeaseAnswer, LeaseRequest
from barnstorm.model.shape import Shape
from barnstorm.model.task import content_of
from barnstorm_server.rules import pick
from barnstorm_server.rules.buckets import Bucket, from_document
from barnstorm_server.rules.matching import match
from barnstorm_server.store import buckets
from barnstorm_server.store.catalog import Catalog, CatalogQueue
from barnstorm_server.store.errors import NotFound
from barnstorm_server.store.tables import LIVE_ATTEMPTS
from barnstorm_server.store.task_cache import KnownTask, TaskCache
from barnstorm_server.store.transaction import Transaction, loads

from . import report

_PILOT = text("SELECT id, queue, owner, state, shape, wish, why, ended_at FROM pilots WHERE id = :id")
_SEEN = text("UPDATE pilots SET seen_at = :now, state = :state, owner = :owner WHERE id = :id AND ended_at IS NULL")
_LIVE = text(
    "SELECT task_id, idx, number, state, stop, unnamed, memory_mib FROM attempts WHERE pilot_id = :pilot"
    f" AND {LIVE_ATTEMPTS} ORDER BY task_id, idx"
)
_NAMED = text("UPDATE attempts SET unnamed = 0 WHERE task_id = :task AND idx = :idx AND number = :number")
_TAKE = (
    "UPDATE jobs SET state = 'sent', bucket_id = NULL, next_attempt = next_attempt + 1"
    " WHERE (task_id, idx) IN (SELECT task_id, idx FROM jobs WHERE bucket_id = :bucket"
    " AND task_id > :after AND task_id < :before ORDER BY bucket_id, task_id, idx LIMIT :count{lock})"
    " RETURNING task_id, idx, next_attempt - 1 AS number, memory_mib"
)
_TAKE_SQLITE = text(_TAKE.format(lock=""))
_TAKE_POSTGRES = text(_TAKE.format(lock=" FOR UPDATE SKIP LOCKED"))
_BEING_ENDED = text("SELECT id FROM tasks WHERE killed IS NOT NULL AND ended_at IS NULL ORDER BY id")
_NO_TASK = 2**62
_ATTEMPT = text(
    "INSERT INTO attempts (task_id, idx, number, state, pilot_id, queue, owner, cores, memory_mib, leased_at)"
    " VALUES (:task, :idx, :number, 'leased', :pilot, :queue, :owner, :cores, :memory_mib, :now)"
)


@dataclass
class Dispatch:
    """What dispatching commands share: the queues, the specs, matches already made, and the clock pilots should
    keep.
    """

    catalog: Catalog
    tasks: TaskCache
    clock: Clock
    is_sqlite: bool = True

    def __post_init__(self) -> None:
        self._buckets: dict[int, Bucket] = {}
        self._matches: dict[tuple[int, str, int, str], bool] = {}

    def bucket(self, row: Row[Any]) -> Bucket:
        """A stored bucket, parsed once."""
        if row.id not in self._buckets:
            if len(self._buckets) > 10_000:
                self._buckets.clear()
            self._buckets[row.id] = from_document(row.spec)
        return self._buckets[row.id]

    def fits(self, row: Row[Any], queue: CatalogQueue, now: float) -> bool:
        """Whether a bucket's jobs may run at a queue now; remembered until queue or status change."""
        mark = queue.mark(now)
        key = (row.id, queue.config.name, queue.version, mark.status)
        if key not in self._matches:
            if len(self._matches) > 100_000:
                self._matches.clear()
            self._matches[key] = match(self.bucket(row), queue.config, mark).fits
        return self._matches[key]


@dataclass
class _Room:
    """What a pilot can still take: a free shape, so many beyond it, and so many in all."""

    free: Shape
    ahead: int
    most: int

    def take(self, needs: Shape) -> None:
        """One attempt of these needs goes into what is free, else it is one of those ahead."""
        self.most -= 1
        if pick.how_many(needs, self.free, None, 1):
            self.free = pick.less(self.free, needs, 1)
        else:
            self.ahead = max(0, self.ahead - 1)


@dataclass
class Lease:
    """Accept a pilot's reports, then grant it what fits. Answers the LeaseAnswer; `grants` may be empty.

    `left_some` tells afterwards that jobs wait which the queue may run, whether this pilot could take one or not.
    """

    pilot: int
    request: LeaseRequest
    dispatch: Dispatch
    left_some: bool = False

    @property
    def rows(self) -> int:
        return 3 + 3 * len(self.request.reports) + 2 * self.request.max

    def apply(self, tx: Transaction) -> LeaseAnswer:
        pilot = live_pilot(tx, self.pilot)
        request, dispatch = self.request, self.dispatch
        answer = LeaseAnswer(clock=dispatch.clock)
        answer.results = [report.accept(tx, dispatch.tasks, self.pilot, one) for one in request.reports]
        live = tx.rows(_LIVE, pilot=self.pilot)
        answer.commands = [*orders_of(pilot), *stops_of(live)]
        owner = pilot.owner if live else None
        queue = dispatch.catalog.queues.get(pilot.queue)
        if request.max > 0 and pilot.state != "draining" and not pilot.wish and queue is not None:
            room = self._grant_again(tx, answer, live)
            if room.most > 0 and pilots_take(queue.mark(tx.now).status) != "none":
                owner = self._grant_new(tx, answer, pilot, queue, owner, room)
        held = len(live) + len(answer.grants)
        state = pilot.state if pilot.state == "draining" else "busy" if held else "idle"
        tx.write(_SEEN, id=self.pilot, now=tx.now, state=state, owner=owner if held else None)
        return answer

    def _grant_again(self, tx: Transaction, answer: LeaseAnswer, live: Any) -> "_Room":
        """Hand out again what was granted in an answer that got lost; returns the room that is left."""
        room = _Room(self.request.free, self.request.ahead, self.request.max)
        named = {*self.request.held, *(one.attempt for one in self.request.reports)}
        for row in live:
            attempt = AttemptId(row.task_id, row.idx, row.number)
            if row.state == "leased" and row.stop is None and str(attempt) not in named:
                known = self.dispatch.tasks.get(tx.connection, row.task_id)
                room.take(self._add(answer, attempt, known, row.memory_mib).needs)
                if row.unnamed:  # it is on its way once more
                    tx.write(_NAMED, task=attempt.task, idx=attempt.index, number=attempt.number)
        return room

    def _grant_new(
        self,
        tx: Transaction,
        answer: LeaseAnswer,
        pilot: Row[Any],
        queue: CatalogQueue,
        owner: str | None,
        room: "_Room",
    ) -> str | None:
        isolated = queue.config.pilot.isolation != "none"
        waiting = [row for row in buckets.waiting(tx) if self.dispatch.fits(row, queue, tx.now)]
        if not waiting:
            return owner
        self.left_some = True
        whole, left_s = from_wire(Shape, loads(pilot.shape)), self.request.walltime_left_s
        for one in self._ordered(tx, waiting, None if isolated else owner):
            if not isolated and owner is not None and one.bucket.owner != owner:
                continue
            needs = one.bucket.shape
            now = pick.how_many(needs, room.free, left_s, room.most)
            later = min(room.ahead, room.most - now) if pick.how_many(needs, whole, left_s, 1) else 0
            taken = self._take(tx, answer, pilot, one.id, min(now + later, one.waiting))
            if taken:
                owner = owner or one.bucket.owner
            room.free = pick.less(room.free, needs, min(now, taken))
            room.ahead -= max(0, taken - now)
            room.most -= taken
            if room.most <= 0:
                break
        return owner

    def _ordered(self, tx: Transaction, waiting: list[Row[Any]], owner: str | None) -> list[pick.Candidate]:
        """The buckets in the order of service; ages are looked up only where there is a choice."""
        alone = len(waiting) == 1
        candidates = []
        for row in waiting:
            head = (0, 0) if alone else buckets.head(tx, row.id)
            if head is not None:
                candidates.append(pick.Candidate(row.id, self.dispatch.bucket(row), row.waiting, head))
        return pick.order(candidates, owner)

    def _take(self, tx: Transaction, answer: LeaseAnswer, pilot: Row[Any], bucket: int, count: int) -> int:
        if count < 1:
            return 0
        taken = self._take_rows(tx, bucket, count)
        values = []
        for row in taken:
            known = self.dispatch.tasks.get(tx.connection, row.task_id)
            attempt = AttemptId(row.task_id, row.idx, row.number)
            grant = self._add(answer, attempt, known, row.memory_mib)
            tx.task_started(row.task_id)
            values.append(
                {
                    "task": row.task_id,
                    "idx": row.idx,
                    "number": row.number,
                    "pilot": pilot.id,
                    "queue": pilot.queue,
                    "owner": known.owner,
                    "cores": grant.needs.cores,
                    "memory_mib": grant.needs.memory_mib,
                    "now": tx.now,
                }
            )
        tx.write_many(_ATTEMPT, values)
        tx.bucket(bucket, -len(taken))
        return len(taken)

    def _take_rows(self, tx: Transaction, bucket: int, count: int) -> list[Row[Any]]:
        """The oldest jobs of a bucket, but none of a task that is being ended, slice by slice."""
        take = _TAKE_SQLITE if self.dispatch.is_sqlite else _TAKE_POSTGRES
        ends = [0, *(row.id for row in tx.rows(_BEING_ENDED)), _NO_TASK]
        taken: list[Row[Any]] = []
        for after, before in pairwise(ends):
            if len(taken) < count:
                left = count - len(taken)
                taken += sorted(tx.write_returning(take, bucket=bucket, count=left, after=after, before=before))
        return taken

    def _add(self, answer: LeaseAnswer, attempt: AttemptId, known: KnownTask, memory_mib: int | None) -> Grant:
        spec = known.spec
        content = content_of(spec, attempt.index)
        file = spec.over.files[content] if isinstance(spec.over, Files) else None
        grant = Grant(str(attempt), spec.needs.shape(memory_mib), values(spec.over, content), file)
        answer.tasks.setdefault(str(attempt.task), known.body)
        answer.grants.append(grant)
        return grant


def live_pilot(tx: Transaction, pilot: int) -> Row[Any]:
    """The pilot's row. Raises NotFound for one that is unknown or was ended: it must leave."""
    row = tx.row(_PILOT, id=pilot)
    if row is None or row.ended_at is not None:
        raise NotFound("pilot", f"p{pilot}")
    return row


def orders_of(pilot: Row[Any]) -> list[Command]:
    """What a person or the harvester wishes of a pilot."""
    return [Command(pilot.wish, "", pilot.why or "")] if pilot.wish in ("drain", "exit") else []


def stops_of(live: Any) -> list[Command]:
    """Kill commands for the attempts whose jobs are over."""
    return [
        Command("kill", str(AttemptId(row.task_id, row.idx, row.number)), row.stop)
        for row in live
        if row.stop is not None
    ]
