"""Work on tasks that is done slice by slice: making, releasing and ending their jobs."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from barnstorm_server.commands.endings import EndSlice
from barnstorm_server.commands.release import ReleaseSlice
from barnstorm_server.commands.submit import MakeJobs

AT_ONCE = 20

_COLUMNS = "SELECT id, made, n_jobs, released, waits, killed FROM tasks WHERE ended_at IS NULL AND id > :after"
_SOON = text(f"{_COLUMNS} AND (killed IS NOT NULL OR (waits = 0 AND released < made)) ORDER BY id LIMIT {AT_ONCE}")
_MAKE = text(f"{_COLUMNS} AND made < n_jobs ORDER BY id LIMIT {AT_ONCE}")


class Rounds:
    """Gives every task with work left its turn: nobody waits for the millions of another, or behind a task that fails.

    Ends and releases come before making more: they are what somebody waits for.
    """

    def __init__(self) -> None:
        self._after = {"soon": 0, "make": 0}

    def slices(self, connection: Connection) -> Iterator[Any]:
        """The next slices, one for each task of this round."""
        for task in self._next(connection, "soon"):
            yield EndSlice(task.id) if task.killed is not None else ReleaseSlice(task.id)
        for task in self._next(connection, "make"):
            yield MakeJobs(task.id)

    def _next(self, connection: Connection, kind: str) -> list[Any]:
        query = _SOON if kind == "soon" else _MAKE
        found = connection.execute(query, {"after": self._after[kind]}).all()
        if not found and self._after[kind]:  # all had their turn: begin again
            found = connection.execute(query, {"after": 0}).all()
        self._after[kind] = found[-1].id if len(found) == AT_ONCE else 0
        return list(found)
