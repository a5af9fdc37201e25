"""Reading jobs, their attempts and their outputs."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from barnstorm.model.collection import values
from barnstorm.model.ids import AttemptId, InvalidId, JobId, parse_job
from barnstorm.model.states import JOB_WORDS
from barnstorm.model.task import content_of

from .errors import Invalid, NotFound
from .read_tasks import Asker, in_list, position, seen_by
from .task_cache import KnownTask, TaskCache

View = dict[str, Any]

_COLUMNS = (
    "j.task_id, j.idx, j.state, j.next_attempt, j.spent, j.free_tries, j.not_before, j.memory_mib,"
    " j.exit_code, j.fault,"
    " j.message, j.reason, j.result, j.started_at, j.ended_at, j.peak_mib, j.cpu_s, t.owner,"
    " t.owner_group, t.created_at, t.name,"
    " a.pilot_id, a.queue, p.node"
)
_FROM = (
    " FROM jobs j JOIN tasks t ON t.id = j.task_id"
    " LEFT JOIN attempts a ON a.task_id = j.task_id AND a.idx = j.idx AND a.number = j.next_attempt - 1"
    " LEFT JOIN pilots p ON p.id = a.pilot_id"
)
_ONE = text(f"SELECT {_COLUMNS}{_FROM} WHERE j.task_id = :task AND j.idx = :idx")
_ATTEMPTS = text(
    "SELECT a.*, p.node, p.worker_id FROM attempts a LEFT JOIN pilots p ON p.id = a.pilot_id"
    " WHERE a.task_id = :task AND a.idx = :idx ORDER BY a.number"
)
_OUTPUTS = text("SELECT name, blob, size FROM outputs WHERE task_id = :task AND idx = :idx ORDER BY name")
_OUTPUT = text("SELECT name, blob, size FROM outputs WHERE task_id = :task AND idx = :idx AND name = :name")


@dataclass(frozen=True)
class JobFilter:
    """What a list of jobs keeps. Empty fields keep everything."""

    task: int | None = None
    states: tuple[str, ...] = ()
    queue: str = ""
    owner: str = ""


def job_row(connection: Connection, job: JobId, asker: Asker) -> Row[Any]:
    """A job's row with its last attempt's place, if the asker may see it. Raises NotFound."""
    row = connection.execute(_ONE, {"task": job.task, "idx": job.index}).first()
    if row is None or not asker.may_see(row.owner, row.owner_group):
        raise NotFound("job", job)
    return row


def job_view(connection: Connection, tasks: TaskCache, job: JobId, asker: Asker) -> View:
    """One job with its attempts and outputs."""
    row = job_row(connection, job, asker)
    view = _view(row, tasks.get(connection, job.task))
    key = {"task": job.task, "idx": job.index}
    view["attempt_list"] = [_attempt(one) for one in connection.execute(_ATTEMPTS, key)]
    view["outputs"] = [dict(one._mapping) for one in connection.execute(_OUTPUTS, key)]
    view["result"] = row.result
    view["labels"] = tasks.get(connection, job.task).spec.labels
    return view


def job_page(
    connection: Connection, tasks: TaskCache, wanted: JobFilter, asker: Asker, cursor: str | None, limit: int
) -> tuple[list[View], str | None]:
    """A page of jobs: of one task by index, of all tasks newest task first."""
    where = ["1 = 1"]
    values: dict[str, Any] = {"limit": limit + 1}
    if wanted.task is not None:
        where.append("j.task_id = :task")
        values["task"] = wanted.task
    if cursor is not None:
        values.update(_job_position(cursor))
        where.append("j.idx > :idx_at" if wanted.task is not None else "(j.task_id, -j.idx) < (:task_at, -:idx_at)")
    if wanted.states:
        where.append(in_list("j.state", "state", wanted.states, values))
    if wanted.queue:
        where.append("a.queue = :queue")
        values["queue"] = wanted.queue
    if wanted.owner:
        where.append("t.owner = :wanted_owner")
        values["wanted_owner"] = wanted.owner
    if asker.owner is not None:
        where.append(seen_by(asker, values))
    order = "j.idx" if wanted.task is not None else "j.task_id DESC, j.idx"
    statement = text(f"SELECT {_COLUMNS}{_FROM} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :limit")
    rows = connection.execute(statement, values).all()
    views = [_view(row, tasks.get(connection, row.task_id)) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return views, f"{last.task_id}.{last.idx}" if last else None


def output_page(
    connection: Connection, task: int, name: str | None, idx: int | None, cursor: str | None, limit: int
) -> tuple[list[View], str | None]:
    """Outputs of a task's finished jobs, by index and name."""
    where = ["task_id = :task"]
    found: dict[str, Any] = {"task": task, "limit": limit + 1}
    if name is not None:
        where.append("name = :name")
        found["name"] = name
    if idx is not None:
        where.append("idx = :idx")
        found["idx"] = idx
    if cursor is not None:
        place, _, after = cursor.partition("/")
        where.append("(idx > :at OR (idx = :at AND name > :after))")
        found.update({"at": position(place), "after": after})
    statement = text(
        f"SELECT idx, name, blob, size FROM outputs WHERE {' AND '.join(where)} ORDER BY idx, name LIMIT :limit"
    )
    rows = connection.execute(statement, found).all()
    items = [
        {"job": f"{task}.{row.idx}", "index": row.idx, "name": row.name, "blob": row.blob, "size": row.size}
        for row in rows[:limit]
    ]
    return items, f"{rows[limit - 1].idx}/{rows[limit - 1].name}" if len(rows) > limit else None


def output(connection: Connection, job: JobId, name: str) -> Row[Any]:
    """One output of a job. Raises NotFound."""
    row = connection.execute(_OUTPUT, {"task": job.task, "idx": job.index, "name": name}).first()
    if row is None:
        raise NotFound(f"output of {job} named", name)
    return row


def _job_position(cursor: str) -> dict[str, int]:
    try:
        at = parse_job(cursor)
    except InvalidId:
        raise Invalid("this is no cursor of a list of jobs", field="cursor", value=cursor) from None
    return {"task_at": at.task, "idx_at": at.index}


def _view(row: Row[Any], task: KnownTask) -> View:
    spec = task.spec
    began = row.state in ("sent", "starting", "running", "transferring") or row.ended_at is not None
    return {
        "id": f"{row.task_id}.{row.idx}",
        "task": row.task_id,
        "index": row.idx,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "word": JOB_WORDS[row.state],
        "attempts": row.next_attempt - 1,
        "queue": row.queue if began else None,
        "node": row.node if began else None,
        "pilot": f"p{row.pilot_id}" if began and row.pilot_id else None,
        "exit_code": row.exit_code,
        "fault": row.fault,
        "message": row.message,
        "reason": row.reason,
        "not_before": row.not_before,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "peak_memory_mib": row.peak_mib,
        "cpu_s": row.cpu_s,
        "wall_s": row.ended_at - row.started_at if row.ended_at and row.started_at else None,
        "needs": vars(spec.needs.shape(row.memory_mib)),
        "values": values(spec.over, content_of(spec, row.idx)),
    }


def _attempt(row: Row[Any]) -> View:
    return {
        "attempt": f"{row.task_id}.{row.idx}/{row.number}",
        "number": row.number,
        "state": row.state,
        "pilot": f"p{row.pilot_id}",
        "worker": f"w{row.worker_id}" if row.worker_id else None,
        "queue": row.queue,
        "node": row.node,
        "stop": row.stop,
        "leased_at": row.leased_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "fault": row.fault,
        "message": row.message,
        "metrics": json.loads(row.metrics) if row.metrics else {},
    }


_FAILED = text("SELECT idx FROM jobs WHERE task_id = :task AND state IN ('failed', 'cancelled', 'closed') ORDER BY idx")


def failed_indices(connection: Connection, task: int) -> list[int]:
    """The jobs of a task that did not end well."""
    return [int(idx) for idx in connection.execute(_FAILED, {"task": task}).scalars()]


_ATTEMPT = text("SELECT pilot_id, state, owner FROM attempts WHERE task_id = :task AND idx = :idx AND number = :number")


def attempt_row(connection: Connection, attempt: AttemptId) -> Row[Any]:
    """Who holds an attempt, and its state. Raises NotFound."""
    key = {"task": attempt.task, "idx": attempt.index, "number": attempt.number}
    row = connection.execute(_ATTEMPT, key).first()
    if row is None:
        raise NotFound("attempt", attempt)
    return row


def blob_is_output(connection: Connection, blob: str, tasks: list[int]) -> bool:
    """Whether these bytes are an output of one of these tasks."""
    found: dict[str, Any] = {"blob": blob}
    listed = in_list("task_id", "task", [str(task) for task in tasks], found)
    found.update({f"task{n}": task for n, task in enumerate(tasks)})
    return (
        connection.execute(text(f"SELECT 1 FROM outputs WHERE blob = :blob AND {listed} LIMIT 1"), found).first()
        is not None
    )


_HAS = text("SELECT 1 FROM blobs WHERE digest = :digest AND owner = :owner")


def has_blob(connection: Connection, digest: str, owner: str) -> bool:
    """Whether this owner has brought these bytes."""
    return connection.execute(_HAS, {"digest": digest, "owner": owner}).first() is not None
