"""Reading tasks: views and pages, newest first."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, text

from .errors import Invalid, NotFound

View = dict[str, Any]

_COLUMNS = (
    "t.id, t.name, t.state, t.owner, t.owner_group, t.share, t.labels, t.priority, t.n_jobs, t.made,"
    " t.waits, t.retry_of,"
    " t.n_finished, t.n_failed, t.n_cancelled, t.n_closed, t.reason, t.killed, t.created_at, t.ended_at"
)
_ONE = text(f"SELECT {_COLUMNS}, t.spec FROM tasks t WHERE t.id = :id")
_AT_WORK = text(
    "SELECT task_id, state, count(*) AS n FROM jobs WHERE task_id = :task"
    " AND state IN ('held', 'sent', 'starting', 'running', 'transferring') GROUP BY task_id, state"
)
_UPSTREAM = text("SELECT DISTINCT task_id FROM edges WHERE waiter_task = :task ORDER BY task_id")


@dataclass(frozen=True)
class Asker:
    """On whose behalf a list is read: `owner` None sees everything."""

    owner: str | None
    groups: tuple[str, ...] = ()

    def may_see(self, owner: str, group: str) -> bool:
        return self.owner is None or self.owner == owner or (group != "" and group in self.groups)


@dataclass(frozen=True)
class TaskFilter:
    """What a list of tasks keeps. Empty fields keep everything."""

    states: tuple[str, ...] = ()
    owner: str = ""
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)


def task_row(connection: Connection, task: int, asker: Asker) -> Row[Any]:
    """A task's row, if the asker may see it. Raises NotFound."""
    row = connection.execute(_ONE, {"id": task}).first()
    if row is None or not asker.may_see(row.owner, row.owner_group):
        raise NotFound("task", task)
    return row


def task_view(connection: Connection, task: int, asker: Asker) -> View:
    """One task, with its spec and what it waits for."""
    row = task_row(connection, task, asker)
    view = _view(connection, row)
    view["spec"] = json.loads(row.spec)
    view["waits_for"] = list(connection.execute(_UPSTREAM, {"task": task}).scalars()) if row.waits else []
    view["queues"] = view["spec"].get("queues", [])
    return view


def task_page(
    connection: Connection, wanted: TaskFilter, asker: Asker, cursor: str | None, limit: int
) -> tuple[list[View], str | None]:
    """A page of tasks, newest first, and the cursor of the next one."""
    where = ["1 = 1"]
    values: dict[str, Any] = {"limit": limit + 1}
    if cursor is not None:
        where.append("t.id < :cursor")
        values["cursor"] = position(cursor)
    if wanted.states:
        where.append(in_list("t.state", "state", wanted.states, values))
    if wanted.owner:
        where.append("t.owner = :wanted_owner")
        values["wanted_owner"] = wanted.owner
    if wanted.name:
        where.append("t.name = :name")
        values["name"] = wanted.name
    if asker.owner is not None:
        where.append(seen_by(asker, values))
    for n, (key, value) in enumerate(sorted(wanted.labels.items())):
        where.append(
            f"EXISTS (SELECT 1 FROM task_labels l WHERE l.task_id = t.id AND l.key = :key{n} AND l.value = :value{n})"
        )
        values.update({f"key{n}": key, f"value{n}": value})
    statement = text(f"SELECT {_COLUMNS} FROM tasks t WHERE {' AND '.join(where)} ORDER BY t.id DESC LIMIT :limit")
    rows = connection.execute(statement, values).all()
    views = [_view(connection, row) for row in rows[:limit]]
    return views, str(rows[limit - 1].id) if len(rows) > limit else None


def _view(connection: Connection, row: Row[Any]) -> View:
    ended = {"finished": row.n_finished, "failed": row.n_failed, "cancelled": row.n_cancelled, "closed": row.n_closed}
    counts = {state: n for state, n in ended.items() if n}
    waiting = row.n_jobs - sum(ended.values())
    if row.ended_at is None:
        for one in connection.execute(_AT_WORK, {"task": row.id}):
            counts[one.state] = one.n
            waiting -= one.n
        if waiting > 0:
            counts["defined" if row.waits or row.made == 0 else "activated"] = waiting
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "owner": row.owner,
        "group": row.owner_group,
        "share": row.share,
        "labels": json.loads(row.labels),
        "priority": row.priority,
        "jobs": row.n_jobs,
        "counts": counts,
        "retry_of": row.retry_of,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "reason": row.reason or row.killed,
    }


def position(cursor: str) -> int:
    """The number in the cursor of a list that goes by ids. Raises Invalid for what no list has given."""
    if re.fullmatch("[0-9]{1,18}", cursor) is None:
        raise Invalid("this is no cursor of this list", field="cursor", value=cursor)
    return int(cursor)


def in_list(column: str, name: str, wanted: Sequence[str], values: dict[str, Any]) -> str:
    """`column IN (…)` with its values added under numbered names."""
    values.update({f"{name}{n}": value for n, value in enumerate(wanted)})
    return f"{column} IN ({', '.join(f':{name}{n}' for n in range(len(wanted)))})"


def seen_by(asker: Asker, values: dict[str, Any]) -> str:
    """The condition that keeps what the asker may see."""
    values["asker"] = asker.owner
    if not asker.groups:
        return "t.owner = :asker"
    return f"(t.owner = :asker OR {in_list('t.owner_group', 'group', asker.groups, values)})"
