"""Work on tasks that is done slice by slice: making, releasing and ending their jobs."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from barnstorm_server.commands.endings import EndSlice
from barnstorm_server.commands.release import ReleaseSlice
from barnstorm_server.commands.submit import MakeJobs

_WORK = text(
    "SELECT id, made, n_jobs, released, waits, killed FROM tasks WHERE ended_at IS NULL"
    " AND (made < n_jobs OR (waits = 0 AND released < made) OR killed IS NOT NULL) ORDER BY id LIMIT 100"
)


def slices(connection: Connection) -> Iterator[Any]:
    """One next slice for each task that has some work left: none waits for another's million jobs."""
    for task in connection.execute(_WORK).all():
        if task.made < task.n_jobs:
            yield MakeJobs(task.id)
        if task.killed is not None:
            yield EndSlice(task.id)
        elif task.waits == 0 and task.released < task.made:
            yield ReleaseSlice(task.id)
