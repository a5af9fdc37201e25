"""Tasks' specs as dispatch needs them, parsed once: a spec never changes after its submission."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from barnstorm.model.base import from_wire
from barnstorm.model.pilots import TaskBody
from barnstorm.model.task import TaskSpec

_TASK = text("SELECT id, owner, owner_group, name, bucket_id, spec FROM tasks WHERE id = :id")


@dataclass(frozen=True)
class KnownTask:
    """The unchanging part of a task."""

    id: int
    owner: str
    group: str
    bucket: int
    spec: TaskSpec
    body: TaskBody = field(repr=False)


class TaskCache:
    """The specs of the tasks used last; bounded in number and bytes, so that memory does not grow with tasks."""

    def __init__(self, most: int = 500, most_bytes: int = 16 * 2**20) -> None:
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._tasks: OrderedDict[int, tuple[KnownTask, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: Connection, task: int) -> KnownTask:
        """A task's unchanging part. Raises LookupError for a task that is not there."""
        with self._lock:
            known = self._tasks.get(task)
            if known is not None:
                self._tasks.move_to_end(task)
                return known[0]
        row = connection.execute(_TASK, {"id": task}).first()
        if row is None:
            raise LookupError(f"there is no task {task}")
        spec = from_wire(TaskSpec, json.loads(row.spec))
        body = TaskBody(
            task=row.id,
            owner=row.owner,
            payload=spec.payload,
            name=spec.name,
            group=row.owner_group,
            env=spec.env,
            inputs=spec.inputs,
            outputs=spec.outputs,
        )
        new = KnownTask(row.id, row.owner, row.owner_group, row.bucket_id, spec, body)
        with self._lock:
            self._keep(new, len(row.spec))
        return new

    def _keep(self, task: KnownTask, size: int) -> None:
        _, before = self._tasks.pop(task.id, (None, 0))
        self._tasks[task.id] = (task, size)
        self._bytes += size - before
        while len(self._tasks) > self._most or (self._bytes > self._most_bytes and len(self._tasks) > 1):
            _, (_, left) = self._tasks.popitem(last=False)
            self._bytes -= left
