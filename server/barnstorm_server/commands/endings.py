"""Ending jobs other than by a pilot's report: kills, and jobs that can no longer run. In slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from barnstorm.model.states import JOB
from barnstorm_server.store.errors import NotFound
from barnstorm_server.store.read_tasks import Asker
from barnstorm_server.store.tables import LIVE_ATTEMPTS
from barnstorm_server.store.transaction import Transaction

from .submit import SLICE

WAITING = ("defined", "activated", "held")

_LIVE = ", ".join(f"'{state}'" for state in sorted(JOB.live))
_TASK = text("SELECT id, owner, owner_group, n_jobs, made, killed, ending, ended_at FROM tasks WHERE id = :id")
_MARK = text("UPDATE tasks SET killed = :why, ending = :ending WHERE id = :id AND killed IS NULL")
_SLICE = text(f"SELECT idx, state, bucket_id FROM jobs WHERE task_id = :task AND state IN ({_LIVE}) LIMIT {SLICE}")
_WAITING_SLICE = text(
    "SELECT idx, state, bucket_id FROM jobs WHERE task_id = :task AND state IN ('defined', 'activated', 'held')"
    f" LIMIT {SLICE}"
)
_JOB = text("SELECT idx, state, bucket_id FROM jobs WHERE task_id = :task AND idx = :idx")
_END = text(
    "UPDATE jobs SET state = :state, bucket_id = NULL, not_before = NULL, reason = :why, fault ="
    " :fault, ended_at = :now"
    " WHERE task_id = :task AND idx = :idx"
)
_STOP = text(
    f"UPDATE attempts SET stop = :why WHERE task_id = :task AND idx = :idx AND {LIVE_ATTEMPTS} RETURNING pilot_id"
)


def end_jobs(tx: Transaction, task: int, rows: Sequence[Row[Any]], state: str, why: str) -> None:
    """End these jobs of a task. A running one's attempt is fenced: it ends when its pilot says so, or is lost."""
    fault = "killed" if state == "cancelled" else "upstream"
    values = [{"task": task, "idx": row.idx, "state": state, "why": why, "fault": fault, "now": tx.now} for row in rows]
    tx.write_many(_END, values)
    for row in rows:
        if row.bucket_id is not None:
            tx.bucket(row.bucket_id, -1)
        if row.state not in WAITING:
            for stopped in tx.write_returning(_STOP, task=task, idx=row.idx, why=why):
                tx.committed.pilots.add(stopped.pilot_id)
    if rows:
        tx.task_done(task, state, len(rows))
        tx.event("job", task, state, [row.idx for row in rows], why)


@dataclass
class KillJob:
    """End one job as cancelled; answers whether it was still alive."""

    task: int
    idx: int
    owner: str | None
    groups: tuple[str, ...]
    why: str
    rows: int = 3

    def apply(self, tx: Transaction) -> bool:
        _seen_task(tx, self.task, self.owner, self.groups)
        row = tx.row(_JOB, task=self.task, idx=self.idx)
        if row is None:
            raise NotFound("job", f"{self.task}.{self.idx}")
        if row.state in JOB.terminal:
            return False
        end_jobs(tx, self.task, [row], "cancelled", self.why)
        return True


@dataclass
class KillTask:
    """End a task: from this commit on none of its jobs starts. Answers how many jobs it had left."""

    task: int
    owner: str | None
    groups: tuple[str, ...]
    why: str
    rows: int = SLICE

    def apply(self, tx: Transaction) -> int:
        task = _seen_task(tx, self.task, self.owner, self.groups)
        if task.ended_at is not None:
            return 0
        left = tx.row(_LEFT, id=self.task)
        assert left is not None
        tx.write(_MARK, id=self.task, why=self.why, ending="cancelled")
        EndSlice(self.task).apply(tx)
        return int(left.n)


_LEFT = text("SELECT n_jobs - n_finished - n_failed - n_cancelled - n_closed AS n FROM tasks WHERE id = :id")


@dataclass
class EndSlice:
    """End the next slice of jobs of a task that was killed or whose upstream failed; answers whether more are left."""

    task: int
    rows: int = SLICE

    def apply(self, tx: Transaction) -> bool:
        task = tx.row(_TASK, id=self.task)
        if task is None or task.killed is None or task.ended_at is not None:
            return False
        ending = task.ending or "cancelled"
        # What runs is ended by a person's kill only; a failed upstream closes what never ran.
        found = tx.rows(_SLICE if ending == "cancelled" else _WAITING_SLICE, task=self.task)
        end_jobs(tx, self.task, found, ending, task.killed)
        more = len(found) == SLICE
        if more or task.made < task.n_jobs:
            tx.committed.tasks_to_work_on = True
        return more


def _seen_task(tx: Transaction, task: int, owner: str | None, groups: tuple[str, ...]) -> Row[Any]:
    row = tx.row(_TASK, id=task)
    if row is None or not Asker(owner, groups).may_see(row.owner, row.owner_group):
        raise NotFound("task", task)
    return row
