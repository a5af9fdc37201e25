"""A dispatcher without threads and HTTP: commands applied one by one, at a time that the test sets."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, event, text

from barnstorm.model.collection import Collection, Numbers
from barnstorm.model.ids import AttemptId, parse_attempt, parse_job
from barnstorm.model.payload import CommandPayload
from barnstorm.model.pilots import (
    Clock,
    Heartbeat,
    HeartbeatAnswer,
    HeldAttempt,
    LeaseAnswer,
    LeaseRequest,
    PilotHello,
    Report,
    ReportResult,
)
from barnstorm.model.queue import PilotSettings, QueueConfig
from barnstorm.model.shape import Needs, Shape
from barnstorm.model.task import TaskSpec, check_task
from barnstorm_server.agents.tasks import Rounds
from barnstorm_server.commands.endings import KillJob, KillTask
from barnstorm_server.commands.heartbeat import Beat, EndPilot
from barnstorm_server.commands.lease import Dispatch, Lease
from barnstorm_server.commands.pilots import Hello
from barnstorm_server.commands.queues import PutQueue
from barnstorm_server.commands.release import ReleaseDue
from barnstorm_server.commands.submit import SubmitTask
from barnstorm_server.commands.tokens import NewToken, RecordTokens
from barnstorm_server.store.catalog import Catalog
from barnstorm_server.store.engine import Store, release
from barnstorm_server.store.task_cache import TaskCache
from barnstorm_server.store.transaction import Committed, Transaction
from barnstorm_server.store.writer import Command

from .invariants import broken

R = TypeVar("R")

START = 1_800_000_000.0
HEARTBEAT_S = 10.0
LEASE_S = 60.0
DAY_S = 86_400.0
BIG = Shape(cores=8, memory_mib=64_000, walltime_s=3600, disk_mib=100_000)


def spec(**fields: Any) -> TaskSpec:
    """A small task; `fields` are TaskSpec's."""
    made = TaskSpec(**{"payload": CommandPayload(["true"]), **fields})
    check_task(made)
    return made


def array(count: int) -> Collection:
    """A collection of so many numbers."""
    return Numbers(f"0-{count - 1}")


class World:
    """The writer's connection and everything dispatching commands share. `now` is the store's time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self.connection = store.writer_connection()
        self.catalog, self.tasks = Catalog(), TaskCache()
        self.dispatch = Dispatch(self.catalog, self.tasks, Clock(HEARTBEAT_S, LEASE_S), store.is_sqlite)
        self.committed = Committed()
        self.rounds = Rounds()
        self._keys = itertools.count(1)

    def close(self) -> None:
        """Every test ends with a store in which everything adds up."""
        try:
            self.check()
        finally:
            release(self.connection)

    def do(self, command: Command[R]) -> R:
        """Apply one command in a transaction of its own."""
        with self.connection.begin():
            tx = Transaction(self.connection, self.now)
            answer = command.apply(tx)
            self.committed = tx.finish()
        return answer

    def later(self, seconds: float) -> None:
        self.now += seconds

    def key(self) -> str:
        return f"k{next(self._keys)}"

    # Queues and pilots

    def queue(self, name: str = "q", isolation: str = "user", **config: Any) -> None:
        pilot = PilotSettings(isolation=isolation)  # type: ignore[arg-type]
        self.do(PutQueue(QueueConfig(name=name, pilot=pilot, **config), "operator"))
        with self.store.engine.connect() as connection:
            self.catalog.load(connection)

    def pilot(self, queue: str = "q", shape: Shape = BIG, key: str = "", worker: int | None = None) -> int:
        """Register a pilot; the queue is made if it is not there."""
        if queue not in self.catalog.queues:
            self.queue(queue)
        jti = self.key()
        self.do(RecordTokens("operator", [NewToken(jti, "join", "w", self.now + DAY_S, 1, queue)]))
        hello = PilotHello(key=key or self.key(), queue=queue, shape=shape, node="n1")
        return self.do(Hello(hello, jti, worker))

    def lease(
        self,
        pilot: int,
        most: int = 1,
        held: Iterable[str] = (),
        reports: Iterable[Report] = (),
        free: Shape = BIG,
        ahead: int = 0,
        walltime_left_s: float | None = None,
    ) -> LeaseAnswer:
        request = LeaseRequest(
            free=free,
            max=most,
            ahead=ahead,
            held=list(held),
            reports=list(reports),
            walltime_left_s=walltime_left_s,
        )
        return self.do(Lease(pilot, request, self.dispatch))

    def grants(self, pilot: int, most: int = 1, **request: Any) -> list[str]:
        """The attempts of a lease."""
        return [grant.attempt for grant in self.lease(pilot, most, **request).grants]

    def grant(self, pilot: int, **request: Any) -> str:
        """The one attempt of a lease."""
        (attempt,) = self.grants(pilot, **request)
        return attempt

    def report(self, pilot: int, attempt: str, state: str = "succeeded", **fields: Any) -> ReportResult:
        """One report, in a lease that asks for nothing."""
        told = Report(attempt, state, **fields)  # type: ignore[arg-type]
        return self.lease(pilot, 0, reports=[told]).results[0]

    def beat(self, pilot: int, *held: str, state: str = "running", **fields: Any) -> HeartbeatAnswer:
        """A heartbeat that names attempts, all in one state."""
        named = [HeldAttempt(attempt, state) for attempt in held]  # type: ignore[arg-type]
        return self.do(Beat(pilot, Heartbeat(held=named, state="busy", **fields), self.dispatch))

    def lose(self, pilot: int) -> int:
        """The watchdog ends a pilot; how many attempts it held."""
        return self.do(EndPilot(pilot, self.now, "not heard of", self.dispatch))

    # Tasks

    def submit(self, owner: str = "ada", key: str = "", groups: Sequence[str] = (), **fields: Any) -> int:
        """Submit a task; `fields` are TaskSpec's."""
        return self.do(SubmitTask(owner, tuple(groups), key or self.key(), spec(**fields)))

    def submit_needing(self, *, owner: str = "ada", jobs: int = 1, **needs: Any) -> int:
        """Submit a task of so many jobs with these needs."""
        return self.submit(owner, over=array(jobs), needs=Needs(**needs))

    def kill(self, name: str, owner: str | None = "ada", why: str = "wrong input") -> int:
        """Kill a task or a job."""
        if "." in name:
            job = parse_job(name)
            return int(self.do(KillJob(job.task, job.index, owner, (), why)))
        return self.do(KillTask(int(name), owner, (), why))

    def slice(self) -> int:
        """One round of the agent that works on tasks; how many slices there were."""
        with self.store.engine.connect() as connection:
            commands = list(self.rounds.slices(connection))
        for command in commands:
            self.do(command)
        return len(commands)

    def work(self) -> None:
        """Everything that tasks have waiting, in slices."""
        for _ in range(1000):
            if not self.slice():
                return
        raise AssertionError("the work on tasks does not end")

    def release_due(self) -> int:
        return self.do(ReleaseDue(self.tasks))

    # What is in the store

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.store.engine.connect() as connection:
            yield connection

    def rows(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        with self.reading() as connection:
            return connection.execute(text(statement), values).all()

    def row(self, statement: str, **values: Any) -> Any:
        (row,) = self.rows(statement, **values)
        return row

    def task(self, task: int) -> Any:
        return self.row("SELECT * FROM tasks WHERE id = :id", id=task)

    def job(self, name: str) -> Any:
        """A job's row, by its id or that of an attempt."""
        job = parse_job(name.partition("/")[0])
        return self.row("SELECT * FROM jobs WHERE task_id = :task AND idx = :idx", task=job.task, idx=job.index)

    def jobs(self, task: int) -> dict[str, int]:
        """How many jobs of a task are in which state."""
        statement = "SELECT state, count(*) AS n FROM jobs WHERE task_id = :task GROUP BY state"
        return {row.state: row.n for row in self.rows(statement, task=task)}

    def attempt(self, name: str) -> Any:
        one: AttemptId = parse_attempt(name)
        return self.row(
            "SELECT * FROM attempts WHERE task_id = :task AND idx = :idx AND number = :number",
            task=one.task,
            idx=one.index,
            number=one.number,
        )

    def pilot_row(self, pilot: int) -> Any:
        return self.row("SELECT * FROM pilots WHERE id = :id", id=pilot)

    def waiting(self) -> int:
        """How many jobs wait in all buckets."""
        return int(self.row("SELECT coalesce(sum(waiting), 0) AS n FROM buckets").n)

    def outbox(self) -> list[tuple[str, int, str, str | None]]:
        """All messages: kind, task, state, jobs."""
        rows = self.rows("SELECT kind, task_id, state, jobs FROM outbox ORDER BY id")
        return [(row.kind, row.task_id, row.state, row.jobs) for row in rows]

    def check(self) -> None:
        """Raise AssertionError unless everything in the store adds up."""
        with self.reading() as connection:
            found = broken(connection)
        assert not found, "\n".join(found)

    @contextmanager
    def statements(self) -> Iterator[list[tuple[str, Any]]]:
        """The statements (with their values) that the writer's connection executes meanwhile."""
        seen: list[tuple[str, Any]] = []

        def note(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
            if not statement.startswith("BEGIN"):
                seen.append((statement, values))

        event.listen(self.connection.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.connection.engine, "before_cursor_execute", note)
