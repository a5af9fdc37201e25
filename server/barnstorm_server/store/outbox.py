"""The outbox: what happened, in commit order. Ids come from one row, last in each transaction, so readers miss
nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

_TAKE = text("UPDATE outbox_head SET last_id = last_id + :n WHERE one = 1 RETURNING last_id")
_PUT = text(
    "INSERT INTO outbox (id, at, kind, task_id, state, jobs, reason) VALUES (:id, :at, :kind, :task,"
    " :state, :jobs, :reason)"
)
_READ = text("SELECT id, at, kind, task_id, state, jobs, reason FROM outbox WHERE id > :after ORDER BY id LIMIT :limit")
_READ_TASK = text(
    "SELECT id, at, kind, task_id, state, jobs, reason FROM outbox WHERE task_id = :task AND id >"
    " :after ORDER BY id LIMIT :limit"
)
_HEAD = text("SELECT last_id FROM outbox_head WHERE one = 1")


def append(connection: Connection, now: float, messages: Sequence[dict[str, Any]]) -> None:
    """Add messages with the next ids; must be the last statement of a transaction."""
    last = connection.execute(_TAKE, {"n": len(messages)}).scalar_one()
    first = last - len(messages) + 1
    connection.execute(_PUT, [{"id": first + n, "at": now, **message} for n, message in enumerate(messages)])


def read(connection: Connection, after: int, limit: int, task: int | None = None) -> Sequence[Row[Any]]:
    """Messages with ids above `after`, in order."""
    if task is None:
        return connection.execute(_READ, {"after": after, "limit": limit}).all()
    return connection.execute(_READ_TASK, {"after": after, "limit": limit, "task": task}).all()


def head(connection: Connection) -> int:
    """The last id given."""
    return int(connection.execute(_HEAD).scalar_one())


_OWNER = text("SELECT owner, owner_group FROM tasks WHERE id = :id")


def may_see(connection: Connection, task: int | None, owner: str, groups: tuple[str, ...]) -> bool:
    """Whether a task's events are the asker's to see."""
    row = connection.execute(_OWNER, {"id": task}).first()
    return row is not None and (row.owner == owner or (row.owner_group != "" and row.owner_group in groups))
