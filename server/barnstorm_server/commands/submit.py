"""Accepting tasks: the task and its first slice of jobs at once, the rest slice by slice, so that no lease waits
behind.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from barnstorm.model.base import to_wire
from barnstorm.model.task import TaskSpec, input_blobs, input_tasks, jobs_of
from barnstorm_server.rules.buckets import bucket_of
from barnstorm_server.store import buckets
from barnstorm_server.store.errors import Invalid
from barnstorm_server.store.read_tasks import Asker
from barnstorm_server.store.transaction import Transaction, dumps

SLICE = 2000

_BY_KEY = text("SELECT id FROM tasks WHERE owner = :owner AND key = :key")
_INSERT = text(
    "INSERT INTO tasks (owner, key, name, owner_group, share, labels, state, priority, spec, n_jobs, waits, bucket_id,"
    " retry_of, created_at) VALUES (:owner, :key, :name, :owner_group, :share, :labels, 'registered', :priority, :spec,"
    " :n_jobs, :waits, :bucket_id, :retry_of, :now) RETURNING id"
)
_LABEL = text("INSERT INTO task_labels (key, value, task_id) VALUES (:key, :value, :task)")
_UPSTREAM = text("SELECT id, owner, owner_group, state, ended_at FROM tasks WHERE id = :id")
_LOCKED = text(f"{_UPSTREAM.text} FOR SHARE")  # no other server ends it before our edge can be seen
_HAVE = text("SELECT 1 FROM blobs WHERE digest = :digest AND owner = :owner")
_EDGE = text("INSERT INTO edges (task_id, idx, waiter_task, waiter_idx) VALUES (:up, -1, :task, -1)")
_TASK = text("SELECT id, n_jobs, made, released, waits, bucket_id, killed FROM tasks WHERE id = :id")
_JOBS = text(
    "WITH RECURSIVE n(i) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :end)"
    " INSERT INTO jobs (task_id, idx, state, bucket_id)"
    " SELECT CAST(:task AS BIGINT), i, CAST(:state AS VARCHAR(16)), CAST(:bucket AS BIGINT) FROM n"
)
_MADE = text("UPDATE tasks SET made = :made, released = :released, state = :state WHERE id = :id")


@dataclass
class SubmitTask:
    """Accept a task. Answers its id; the same owner's same key gets the first one's."""

    owner: str
    groups: tuple[str, ...]
    key: str
    spec: TaskSpec
    retry_of: int | None = None

    def __post_init__(self) -> None:
        self._document = dumps(to_wire(self.spec))  # here, not in the writer: a long table takes a while

    @property
    def rows(self) -> int:
        return 5 + min(jobs_of(self.spec), SLICE)

    def apply(self, tx: Transaction) -> int:
        known = tx.row(_BY_KEY, owner=self.owner, key=self.key)
        if known is not None:
            return int(known.id)
        upstream = self._upstream(tx)
        if self.retry_of is None:  # whoever may see a task may run it again, with the inputs it had
            for task in sorted(input_tasks(self.spec)):
                self._visible(tx, task, "spec.inputs", "to take outputs of")
            self._check_blobs(tx)
        spec = self.spec
        bucket = buckets.get(tx, bucket_of(spec, self.owner))
        row = tx.write_returning(
            _INSERT,
            owner=self.owner,
            key=self.key,
            name=spec.name,
            owner_group=spec.group,
            share=spec.share,
            labels=dumps(spec.labels),
            priority=spec.priority,
            spec=self._document,
            n_jobs=jobs_of(spec),
            waits=len(upstream),
            bucket_id=bucket,
            retry_of=self.retry_of,
            now=tx.now,
        )[0]
        task = int(row.id)
        labels = [{"key": key, "value": value, "task": task} for key, value in spec.labels.items()]
        tx.write_many(_LABEL, labels)
        tx.write_many(_EDGE, [{"up": up, "task": task} for up in upstream])
        tx.event("task", task, "registered")
        MakeJobs(task).apply(tx)
        return task

    def _upstream(self, tx: Transaction) -> list[int]:
        """The tasks this one must still wait for."""
        waiting = []
        for up in sorted(set(self.spec.after)):
            row = self._visible(tx, up, "spec.after", "to wait for")
            if row.ended_at is None:
                waiting.append(up)
            elif row.state != "finished":
                message = f"task {up} ended {row.state}; jobctl retry {up} makes a new one to wait for"
                raise Invalid(message, field="spec.after", value=up, ids=[str(up)])
        return waiting

    def _check_blobs(self, tx: Transaction) -> None:
        """A hash is no right to the bytes: a task's inputs are what its owner has brought."""
        for digest in sorted(input_blobs(self.spec)):
            if tx.row(_HAVE, digest=digest, owner=self.owner) is None:
                message = "you have not uploaded these bytes; --input PATH does it"
                raise Invalid(message, field="spec.inputs", value=f"blob:{digest}", ids=[digest])

    def _visible(self, tx: Transaction, task: int, field: str, purpose: str) -> Row[Any]:
        row = tx.row(_UPSTREAM if tx.connection.dialect.name == "sqlite" else _LOCKED, id=task)
        if row is None or not Asker(self.owner, self.groups).may_see(row.owner, row.owner_group):
            raise Invalid(f"there is no task {task} of yours {purpose}", field=field, value=task, ids=[str(task)])
        return row


@dataclass
class MakeJobs:
    """Make the next slice of a task's jobs; answers whether more are to be made."""

    task: int
    rows: int = SLICE

    def apply(self, tx: Transaction) -> bool:
        task = tx.row(_TASK, id=self.task)
        if task is None or task.made >= task.n_jobs:
            return False
        end = min(task.made + SLICE, task.n_jobs)
        go = task.waits == 0 and task.killed is None and task.released == task.made
        tx.write(
            _JOBS,
            first=task.made,
            end=end,
            task=task.id,
            state="activated" if go else "defined",
            bucket=task.bucket_id if go else None,
        )
        last = end == task.n_jobs
        state = "ready" if last else "registered"
        tx.write(_MADE, id=task.id, made=end, released=end if go else task.released, state=state)
        if go:
            tx.bucket(task.bucket_id, end - task.made)
        if last:
            tx.event("task", task.id, "ready")
        else:
            tx.committed.tasks_to_work_on = True
        return not last
