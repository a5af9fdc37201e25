"""Letting waiting jobs go: those of a task whose upstream has ended, and those whose backoff is over."""

from dataclasses import dataclass

from sqlalchemy import text

from barnstorm_server.rules.buckets import bucket_of
from barnstorm_server.store import buckets
from barnstorm_server.store.task_cache import TaskCache
from barnstorm_server.store.transaction import Transaction

from .submit import SLICE

_TASK = text("SELECT id, made, released, waits, bucket_id, killed, ended_at FROM tasks WHERE id = :id")
_GO = text(
    "UPDATE jobs SET state = 'activated', bucket_id = :bucket"
    " WHERE task_id = :task AND idx >= :first AND idx < :end AND state = 'defined' AND waits = 0 RETURNING idx"
)
_RELEASED = text("UPDATE tasks SET released = :end WHERE id = :id")
_DUE = text(
    f"SELECT task_id, idx, memory_mib FROM jobs WHERE not_before IS NOT NULL AND not_before <= :now"
    f" ORDER BY not_before LIMIT {SLICE}"
)
_AGAIN = text("UPDATE jobs SET not_before = NULL, bucket_id = :bucket WHERE task_id = :task AND idx = :idx")


@dataclass
class ReleaseSlice:
    """Activate the next slice of a task that waits for nothing any more; answers whether more are left."""

    task: int
    rows: int = SLICE

    def apply(self, tx: Transaction) -> bool:
        task = tx.row(_TASK, id=self.task)
        if task is None or task.waits > 0 or task.killed is not None or task.released >= task.made:
            return False
        end = min(task.released + SLICE, task.made)
        gone = tx.write_returning(_GO, task=task.id, first=task.released, end=end, bucket=task.bucket_id)
        tx.write(_RELEASED, id=task.id, end=end)
        tx.bucket(task.bucket_id, len(gone))
        if gone:
            tx.event("job", task.id, "activated", [row.idx for row in gone])
        return bool(end < task.made)


@dataclass
class ReleaseDue:
    """Put jobs whose backoff is over into their buckets; answers how many."""

    tasks: TaskCache
    rows: int = SLICE

    def apply(self, tx: Transaction) -> int:
        due = tx.rows(_DUE, now=tx.now)
        for row in due:
            bucket = waiting_bucket(tx, self.tasks, row.task_id, row.memory_mib)
            tx.write(_AGAIN, task=row.task_id, idx=row.idx, bucket=bucket)
            tx.bucket(bucket, 1)
        return len(due)


def waiting_bucket(tx: Transaction, tasks: TaskCache, task: int, memory_mib: int | None) -> int:
    """The bucket a job of a task waits in: the task's, or one of its own where its memory was raised."""
    known = tasks.get(tx.connection, task)
    if memory_mib is None:
        return known.bucket
    return buckets.get(tx, bucket_of(known.spec, known.owner, memory_mib))
