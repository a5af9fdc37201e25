"""One transaction of the writer: statements at once, shared rows and events at its end."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from barnstorm.model.ids import ranges

from . import endings, outbox


@dataclass
class Committed:
    """What a commit means for those who wait: how many jobs can now be leased, whether there are events or new
    demand.
    """

    leasable: int = 0
    events: bool = False
    demand: bool = False
    new_demand: bool = False
    tasks_to_work_on: bool = False
    workers_ended: bool = False
    queues: bool = False
    tokens: bool = False
    pilots: set[int] = field(default_factory=set)  # pilots that have a command waiting


_Cause = tuple[str, int, str, str]  # kind, task, state, reason
_WHOLE = -1  # in place of an index: the task itself


class Transaction:
    """What commands see of the store. They check first and write later, so that a refusal has had no effect.

    Changes to rows that many share (`task_done`, `bucket`, `event`) are only noted here and written by `finish`,
    summed,
    in id order, so that no two transactions wait for each other, and the outbox takes its ids last of all.
    """

    def __init__(self, connection: Connection, now: float) -> None:
        self.connection = connection
        self.now = now
        self.wrote = False
        self.committed = Committed()
        self._buckets: dict[int, int] = defaultdict(int)
        self._done: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._started: set[int] = set()
        self._messages: list[tuple[_Cause, list[int]]] = []
        self._message_of: dict[_Cause, int] = {}
        self._last_message: dict[tuple[str, int, int], int] = {}

    def rows(self, statement: TextClause, **values: Any) -> Sequence[Row[Any]]:
        """Read rows."""
        return self.connection.execute(statement, values).all()

    def row(self, statement: TextClause, **values: Any) -> Row[Any] | None:
        """Read one row or none."""
        return self.connection.execute(statement, values).first()

    def write(self, statement: TextClause, **values: Any) -> int:
        """Change rows; returns how many."""
        self.wrote = True
        return self.connection.execute(statement, values).rowcount

    def write_many(self, statement: TextClause, values: Sequence[Mapping[str, Any]]) -> None:
        """The same statement for many values; nothing for none."""
        if values:
            self.wrote = True
            self.connection.execute(statement, list(values))

    def write_returning(self, statement: TextClause, **values: Any) -> Sequence[Row[Any]]:
        """Change rows and return what the statement returns of them."""
        self.wrote = True
        return self.connection.execute(statement, values).all()

    def bucket(self, bucket: int, change: int) -> None:
        """Note that `change` more jobs wait in a bucket."""
        self.wrote = True
        self._buckets[bucket] += change
        self.committed.leasable += max(0, change)  # not the sum: who takes a job in this group is not who waits for it

    def task_done(self, task: int, state: str, jobs: int = 1) -> None:
        """Note that `jobs` jobs of a task ended in `state`; the task itself ends with its last one."""
        self.wrote = True
        self._done[task][state] += jobs

    def task_started(self, task: int) -> None:
        """Note that a job of a task has begun its way: the task runs."""
        self._started.add(task)

    def event(self, kind: str, task: int, state: str, indices: Iterable[int] | None = None, reason: str = "") -> None:
        """Note an event; jobs of one task that come to one state for one reason make one event, with ranges.

        What is joined so never comes before something that was told of the same job earlier.
        """
        self.wrote = True
        cause, told = (kind, task, state, reason), list(indices or ())
        things = [(kind, task, index) for index in told or (_WHOLE,)]
        at = self._message_of.get(cause)
        if at is None or any(self._last_message.get(thing, at) > at for thing in things):
            at = self._message_of[cause] = len(self._messages)
            self._messages.append((cause, []))
        self._messages[at][1].extend(told)
        self._last_message.update(dict.fromkeys(things, at))

    def finish(self) -> Committed:
        """Write what was noted; called once by the writer, before its commit."""
        for task in sorted(self._started):
            if self.connection.execute(_RUNNING, {"id": task}).rowcount:
                self.event("task", task, "running")
        for task in sorted(self._done):
            endings.count(self, task, dict(self._done[task]))
        for bucket, change in sorted(self._buckets.items()):
            if change:
                self.connection.execute(_BUCKET, {"id": bucket, "change": change})
                self.committed.demand = True
        if self._messages:
            messages = [
                {"kind": kind, "task": task, "state": state, "jobs": ranges(found) or None, "reason": reason or None}
                for (kind, task, state, reason), found in self._messages
            ]
            outbox.append(self.connection, self.now, messages)
            self.committed.events = True
        return self.committed


_RUNNING = text("UPDATE tasks SET state = 'running' WHERE id = :id AND state = 'ready'")
_BUCKET = text("UPDATE buckets SET waiting = waiting + :change WHERE id = :id")


def loads(document: str) -> Any:
    """A stored JSON document."""
    return json.loads(document)


def dumps(value: Any) -> str:
    """JSON as it is stored."""
    return json.dumps(value, separators=(",", ":"))
