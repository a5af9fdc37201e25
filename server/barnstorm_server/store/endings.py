"""The end of tasks: counting their ended jobs, and what a task's end means for those that wait for it."""

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from .transaction import Transaction

_COUNT = text(
    "UPDATE tasks SET n_finished = n_finished + :finished, n_failed = n_failed + :failed,"
    " n_cancelled = n_cancelled + :cancelled, n_closed = n_closed + :closed WHERE id = :id"
    " RETURNING n_jobs, made, n_finished, n_failed, n_cancelled, n_closed, state, killed, reason"
)
_END = text("UPDATE tasks SET state = :state, ended_at = :now, reason = coalesce(reason, :reason) WHERE id = :id")
_WAITERS = text(
    "SELECT waiter_task FROM edges WHERE task_id = :task AND idx = -1 AND waiter_idx = -1 ORDER BY waiter_task"
)
_COUNT_DOWN = text("UPDATE tasks SET waits = waits - 1 WHERE id = :id RETURNING waits, ended_at")
_CLOSE = text(
    "UPDATE tasks SET killed = coalesce(killed, :why), ending = coalesce(ending, 'closed') WHERE id"
    " = :id AND ended_at IS NULL"
)


def state_of_ended(finished: int, failed: int, cancelled: int, closed: int) -> str:
    """The state of a task whose jobs have all ended so."""
    if failed == cancelled == closed == 0:
        return "finished"
    if finished:
        return "subfinished"
    return "failed" if failed else "cancelled" if cancelled else "failed"


def count(tx: "Transaction", task: int, ended: dict[str, int]) -> None:
    """Add ended jobs to a task's counters; with the last one the task ends, and its waiters are counted down or
    closed.
    """
    values = {state: ended.get(state, 0) for state in ("finished", "failed", "cancelled", "closed")}
    row = tx.connection.execute(_COUNT, {"id": task, **values}).one()
    if row.n_finished + row.n_failed + row.n_cancelled + row.n_closed < row.n_jobs:
        return
    state = state_of_ended(row.n_finished, row.n_failed, row.n_cancelled, row.n_closed)
    end(tx, task, state, row.killed or "")


def end(tx: "Transaction", task: int, state: str, reason: str) -> None:
    """End a task: its state, its event, and those that wait for it, in one transaction."""
    tx.connection.execute(_END, {"id": task, "state": state, "now": tx.now, "reason": reason or None})
    tx.event("task", task, state, reason=reason)
    waiters = tx.connection.execute(_WAITERS, {"task": task}).scalars().all()
    for waiter in waiters:
        if state == "finished":
            tx.connection.execute(_COUNT_DOWN, {"id": waiter})
        else:
            tx.connection.execute(_CLOSE, {"id": waiter, "why": f"task {task} ended {state}"})
    if waiters:
        tx.committed.tasks_to_work_on = True
