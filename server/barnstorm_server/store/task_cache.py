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
    """The specs of the tasks used last. Bounded, so the server's memory does not grow with its tasks."""

    def __init__(self, size: int = 500) -> None:
        self._size = size
        self._tasks: OrderedDict[int, KnownTask] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: Connection, task: int) -> KnownTask:
        """A task's unchanging part. Raises LookupError for a task that is not there."""
        with self._lock:
            known = self._tasks.get(task)
            if known is not None:
                self._tasks.move_to_end(task)
                return known
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
        known = KnownTask(row.id, row.owner, row.owner_group, row.bucket_id, spec, body)
        with self._lock:
            self._tasks[task] = known
            while len(self._tasks) > self._size:
                self._tasks.popitem(last=False)
        return known
