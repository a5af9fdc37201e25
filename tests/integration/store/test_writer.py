"""The writer: groups share a commit, a culprit gets its own error, a refusal has no effect, and nothing stops it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.services.postgres import Cluster

from barnstorm.model.pilots import Clock, LeaseRequest, PilotHello
from barnstorm.model.queue import QueueConfig
from barnstorm_server.agents.tasks import Rounds
from barnstorm_server.commands.lease import Dispatch, Lease
from barnstorm_server.commands.pilots import Hello
from barnstorm_server.commands.queues import PutQueue
from barnstorm_server.commands.submit import SLICE, SubmitTask
from barnstorm_server.commands.tokens import NewToken, RecordBlob, RecordTokens
from barnstorm_server.store.catalog import Catalog
from barnstorm_server.store.engine import Store
from barnstorm_server.store.errors import Busy, Invalid, NotFound
from barnstorm_server.store.task_cache import TaskCache
from barnstorm_server.store.transaction import Committed, Transaction
from barnstorm_server.store.writer import MAX_COMMANDS, Writer

from .world import BIG, array, spec

OWNERS = "SELECT owner FROM blobs ORDER BY owner"


@dataclass
class Gate:
    """A command at which the writer waits, so that others gather behind it."""

    open: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        self.reached.set()
        self.open.wait(30)


@dataclass
class Note:
    """Writes a row with its name, then does what a test wants."""

    name: str
    then: Callable[[Transaction], Any] = lambda tx: "noted"
    rows: int = 1

    def apply(self, tx: Transaction) -> Any:
        RecordBlob("ab" * 32, self.name, 1).apply(tx)
        return self.then(tx)


@dataclass
class Refuse:
    """Refuses, before it has written anything."""

    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        raise NotFound("thing", "it")


@dataclass
class Raise:
    error: BaseException
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        raise self.error


class Watched(Writer):
    """A writer that remembers what it was told to tell others."""

    def __init__(self, store: Store, capacity: int = 2000) -> None:
        self.heard: list[Committed] = []
        super().__init__(store, self.heard.append, capacity)

    def gather(self, *commands: Any) -> "list[Future[Any]]":
        """Have these commands taken in one group."""
        gate = Gate()
        self.submit(gate)
        assert gate.reached.wait(30)
        futures = [self.submit(command) for command in commands]
        gate.open.set()
        return futures


@pytest.fixture
def writer(store: Store) -> Iterator[Watched]:
    writer = Watched(store)
    writer.start()
    yield writer
    writer.close()


def owners(store: Store) -> list[str]:
    """Who has left a note."""
    with store.engine.connect() as connection:
        return list(connection.execute(text(OWNERS)).scalars())


def test_a_command_is_answered_after_its_commit(store: Store, writer: Watched) -> None:
    assert writer.do(Note("ada")) == "noted"
    assert owners(store) == ["ada"]


def test_commands_that_wait_share_one_commit(store: Store, writer: Watched) -> None:
    names = [f"n{number:03}" for number in range(100)]
    futures = writer.gather(*[Note(name) for name in names])
    assert [future.result(30) for future in futures] == ["noted"] * 100
    assert writer.commits == 2  # the gate's, and one for all
    assert owners(store) == names


def test_a_group_is_bounded_in_commands_and_in_rows(writer: Watched) -> None:
    futures = writer.gather(*[Note(f"n{number}") for number in range(MAX_COMMANDS + 10)])
    for future in futures:
        future.result(30)
    assert writer.commits == 3
    futures = writer.gather(*[Note(f"m{number}", rows=SLICE) for number in range(5)])
    for future in futures:
        future.result(30)
    assert writer.commits == 3 + 1 + 5


def test_a_refusal_is_an_answer_and_costs_the_group_nothing(store: Store, writer: Watched) -> None:
    first, refused, last = writer.gather(Note("a"), Refuse(), Note("b"))
    assert (first.result(30), last.result(30)) == ("noted", "noted")
    with pytest.raises(NotFound, match="there is no thing it"):
        refused.result(30)
    assert owners(store) == ["a", "b"]
    assert writer.commits == 2


def test_the_culprit_of_a_group_gets_its_error_and_the_others_their_answers(store: Store, writer: Watched) -> None:
    def nonsense(tx: Transaction) -> None:
        tx.write(text("INSERT INTO no_such_table VALUES (1)"))

    first, culprit, last = writer.gather(Note("a"), Note("culprit", nonsense), Note("b"))
    assert (first.result(30), last.result(30)) == ("noted", "noted")
    with pytest.raises(Exception, match="no_such_table"):
        culprit.result(30)
    assert owners(store) == ["a", "b"]


def test_a_refusal_after_writing_has_no_effect_either(store: Store, writer: Watched) -> None:
    def refuse(tx: Transaction) -> None:
        raise Invalid("too late")

    first, culprit = writer.gather(Note("a"), Note("culprit", refuse))
    assert first.result(30) == "noted"
    with pytest.raises(Invalid, match="too late"):
        culprit.result(30)
    assert owners(store) == ["a"]


@pytest.mark.parametrize(
    "error",
    [AssertionError("x"), AttributeError("x"), RuntimeError("x"), KeyError("x"), RecursionError(), OSError(5, "io"),
     ZeroDivisionError(), OverflowError(), MemoryError(), UnicodeError("x")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_no_error_of_a_command_stops_the_writer(store: Store, writer: Watched, error: Exception) -> None:
    first, culprit, last = writer.gather(Note("a"), Raise(error), Note("b"))
    assert (first.result(30), last.result(30)) == ("noted", "noted")
    with pytest.raises(type(error)):
        culprit.result(30)
    assert writer.do(Note("c")) == "noted"
    assert writer.alive


def test_who_no_longer_waits_for_his_answer_stops_nobody(store: Store, writer: Watched) -> None:
    """A request's task may be cancelled, and its future with it."""
    gone, stays = writer.gather(Note("gone"), Note("stays"))
    gone.cancel()
    assert stays.result(30) == "noted"
    assert writer.do(Note("z")) == "noted"
    assert "stays" in owners(store)


def test_a_cancelled_request_stops_nobody(store: Store, writer: Watched) -> None:
    async def ask() -> None:
        gate = Gate()
        writer.submit(gate)
        task = asyncio.create_task(_wrapped(writer.submit(Note("gone"))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gate.open.set()

    async def _wrapped(future: "Future[Any]") -> None:
        await asyncio.wrap_future(future)

    asyncio.run(ask())
    assert writer.do(Note("z"), 30) == "noted"


def test_a_listener_that_fails_keeps_no_answer_back(store: Store) -> None:
    """The commit stands: who waits for it must hear so."""

    def fail(what: Committed) -> None:
        raise RuntimeError("a listener's own trouble")

    writer = Writer(store, fail)
    writer.start()
    assert writer.do(Note("a"), 10) == "noted"
    assert writer.do(Note("b"), 10) == "noted"
    assert writer.alive
    writer.close()


def test_a_full_queue_says_so_at_once(store: Store) -> None:
    writer = Watched(store, capacity=3)
    writer.start()
    gate = Gate()
    writer.submit(gate)
    assert gate.reached.wait(30)
    futures = [writer.submit(Note(f"n{number}")) for number in range(3)]
    with pytest.raises(Busy) as caught:
        writer.submit(Note("one too many"))
    assert caught.value.retry_after_s > 0
    gate.open.set()
    assert [future.result(30) for future in futures] == ["noted"] * 3
    assert writer.do(Note("later")) == "noted"
    writer.close()
    assert owners(store) == ["later", "n0", "n1", "n2"]


def test_closing_answers_what_waits_and_then_refuses(store: Store) -> None:
    writer = Watched(store)
    writer.start()
    gate = Gate()
    writer.submit(gate)
    assert gate.reached.wait(30)
    futures = [writer.submit(Note(f"n{number}")) for number in range(20)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    gate.open.set()
    closing.join(30)
    assert [future.result(0) for future in futures] == ["noted"] * 20
    with pytest.raises(Busy, match="stopping"):
        writer.submit(Note("late"))


def test_what_a_commit_means_is_told_before_its_answers(store: Store, writer: Watched) -> None:
    task = writer.do(SubmitTask("ada", (), "k", spec(over=array(3))))
    told = writer.heard[-1]
    assert (task, told.leasable, told.events, told.demand) == (1, 3, True, True)


def test_a_group_of_refusals_leaves_no_trace(store: Store, writer: Watched) -> None:
    for future in writer.gather(Refuse(), Refuse()):
        with pytest.raises(NotFound):
            future.result(30)
    assert not writer.heard[-1].events


@pytest.mark.postgres
def test_a_lost_connection_is_opened_again(cluster: Cluster) -> None:
    url = cluster.migrated()
    store = Store(url)
    writer = Watched(store)
    writer.start()
    writer.do(Note("before"))
    cluster.kill_connections(url.partition("@/")[2].partition("?")[0])
    store.engine.dispose()
    with pytest.raises(OperationalError, match="connection"):  # what the HTTP boundary tells as 503
        writer.do(Note("meanwhile"))
    writer.do(Note("after"))
    assert owners(store) == ["after", "before"]
    writer.close()
    store.close()


def test_a_hundred_thousand_jobs_are_made_while_leases_go_on(store: Store, writer: Watched) -> None:
    """Longer changes are cut into slices: between any two of them a lease gets its turn."""
    catalog, tasks = Catalog(), TaskCache()
    dispatch = Dispatch(catalog, tasks, Clock(), store.is_sqlite)
    writer.do(PutQueue(QueueConfig("q"), "op"))
    with store.engine.connect() as connection:
        catalog.load(connection)
    writer.do(RecordTokens("op", [NewToken("j", "join", "w", time.time() + 999, 1, "q")]))
    pilot = writer.do(Hello(_hello(), "j", None))
    writer.do(SubmitTask("ada", (), "k", spec(over=array(100_000))))
    made: list[int] = []
    held: list[str] = []
    rounds = Rounds()
    while True:
        with store.engine.connect() as connection:
            commands = list(rounds.slices(connection))
        if not commands:
            break
        futures = [writer.submit(command) for command in commands]
        request = LeaseRequest(BIG, 1, held=list(held))
        held += [grant.attempt for grant in writer.do(Lease(pilot, request, dispatch)).grants]
        with store.engine.connect() as connection:
            made.append(connection.execute(text("SELECT made FROM tasks")).scalar_one())
        for future in futures:
            future.result(30)
    assert len(made) == 49
    assert len(held) == 49
    assert made[-1] == 100_000
    assert len(set(held)) == 49


def _hello() -> PilotHello:
    return PilotHello(key="p", queue="q", shape=BIG)
