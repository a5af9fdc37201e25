"""Heartbeats: one row update for a pilot, however much it holds, and the differences between its word and ours."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from barnstorm.model.ids import AttemptId, InvalidId, parse_attempt
from barnstorm.model.pilots import Command, Heartbeat, HeartbeatAnswer, HeldAttempt, Report
from barnstorm.model.states import ATTEMPT, PILOT
from barnstorm_server.store.tables import LIVE_ATTEMPTS
from barnstorm_server.store.transaction import Transaction

from . import report
from .lease import Dispatch, live_pilot, orders_of, stops_of

_LIVE = text(
    "SELECT task_id, idx, number, state, stop, unnamed, leased_at FROM attempts WHERE pilot_id = :pilot"
    f" AND {LIVE_ATTEMPTS} ORDER BY task_id, idx"
)
_SEEN = text("UPDATE pilots SET seen_at = :now, state = :state WHERE id = :id AND ended_at IS NULL")
_GONE = text(
    "UPDATE pilots SET seen_at = :now, state = :state, ended_at = :now, why = :why WHERE id = :id AND ended_at IS NULL"
)
_MOVE = text(
    "UPDATE attempts SET state = :state, started_at = coalesce(started_at, :started), unnamed = 0"
    " WHERE task_id = :task AND idx = :idx AND number = :number"
)
_MOVE_JOB = text(
    "UPDATE jobs SET state = :state, started_at = coalesce(:started, started_at) WHERE task_id = :task AND idx = :idx"
)
_UNNAMED = text("UPDATE attempts SET unnamed = :n WHERE task_id = :task AND idx = :idx AND number = :number")


@dataclass
class Beat:
    """Keep a pilot's leases alive; move attempts to the states it tells; answer with commands."""

    pilot: int
    beat: Heartbeat
    dispatch: Dispatch
    rows: int = 2

    def apply(self, tx: Transaction) -> HeartbeatAnswer:
        pilot = live_pilot(tx, self.pilot)
        live = {AttemptId(row.task_id, row.idx, row.number): row for row in tx.rows(_LIVE, pilot=self.pilot)}
        answer = HeartbeatAnswer(commands=[*orders_of(pilot), *stops_of(live.values())], clock=self.dispatch.clock)
        named = set()
        for held in self.beat.held:
            attempt = _attempt(held.attempt)
            if attempt is None or attempt not in live:
                answer.commands.append(Command("stop", held.attempt, "the server does not know it as this pilot's"))
                continue
            named.add(attempt)
            self._move(tx, attempt, live[attempt], held)
        for attempt, row in live.items():
            if attempt not in named and not self.beat.leaving:
                self._unnamed(tx, attempt, row)
        if self.beat.leaving:
            tx.write(_SEEN, id=self.pilot, now=tx.now, state="draining")
            end_pilot(tx, self.dispatch, self.pilot, "gone", self.beat.why or "left")
        else:
            moves = PILOT.may(pilot.state, self.beat.state)
            tx.write(_SEEN, id=self.pilot, now=tx.now, state=self.beat.state if moves else pilot.state)
        return answer

    def _move(self, tx: Transaction, attempt: AttemptId, row: Row[Any], held: HeldAttempt) -> None:
        if row.state != held.state and ATTEMPT.may(row.state, held.state):
            started = None if held.started_ago_s is None else tx.now - held.started_ago_s
            values = {"task": attempt.task, "idx": attempt.index, "state": held.state, "started": started}
            tx.write(_MOVE, number=attempt.number, **values)
            if row.stop is None:
                tx.write(_MOVE_JOB, **values)
                tx.event("job", attempt.task, held.state, [attempt.index])
        elif row.unnamed:
            tx.write(_UNNAMED, n=0, task=attempt.task, idx=attempt.index, number=attempt.number)

    def _unnamed(self, tx: Transaction, attempt: AttemptId, row: Row[Any]) -> None:
        # A grant may be on its way in an answer that the pilot has not read yet: it cannot name it so soon.
        if tx.now - row.leased_at < self.dispatch.clock.heartbeat_s:
            return
        if row.unnamed + 1 < 2:
            tx.write(_UNNAMED, n=row.unnamed + 1, task=attempt.task, idx=attempt.index, number=attempt.number)
        else:
            lose(tx, self.dispatch, self.pilot, attempt, "not_held", "the pilot no longer knew of it")


def lose(tx: Transaction, dispatch: Dispatch, pilot: int, attempt: AttemptId, fault: str, why: str) -> None:
    """End an attempt as lost; its job gets another try unless it is over."""
    lost = Report(str(attempt), "failed", fault=fault, message=why)
    row = report.end_attempt(tx, attempt, pilot, lost, state="lost")
    if row is not None and row.stop is None:
        report.settle(tx, dispatch.tasks, attempt, lost, row.started_at, state="lost")


def end_pilot(tx: Transaction, dispatch: Dispatch, pilot: int, state: str, why: str) -> int:
    """End a pilot and, as lost, all attempts it still holds; answers how many."""
    live = tx.rows(_LIVE, pilot=pilot)
    for row in live:
        lose(tx, dispatch, pilot, AttemptId(row.task_id, row.idx, row.number), "lost", f"pilot p{pilot}: {why}")
    tx.write(_GONE, id=pilot, now=tx.now, state=state, why=why)
    return len(live)


@dataclass
class EndPilot:
    """End a pilot that was not heard of for too long (the watchdog's). `seen_before` guards against its late
    heartbeat.
    """

    pilot: int
    seen_before: float
    why: str
    dispatch: Dispatch
    rows: int = 50

    def apply(self, tx: Transaction) -> int:
        row = tx.row(_STILL, id=self.pilot, before=self.seen_before)
        return 0 if row is None else end_pilot(tx, self.dispatch, self.pilot, "lost", self.why)


_STILL = text("SELECT id FROM pilots WHERE id = :id AND ended_at IS NULL AND seen_at <= :before")


def _attempt(name: str) -> AttemptId | None:
    try:
        return parse_attempt(name)
    except InvalidId:
        return None
