"""The outbox: what happened, in the order in which it happened, with ids that leave nothing out."""

import threading

import pytest
from tests.services.postgres import Cluster

from barnstorm.model.pilots import Heartbeat, HeldAttempt, LeaseRequest, Report
from barnstorm_server.commands.heartbeat import Beat
from barnstorm_server.commands.lease import Lease
from barnstorm_server.store import outbox
from barnstorm_server.store.engine import Store, release
from barnstorm_server.store.transaction import Transaction

from .world import BIG, World, array


def test_a_change_of_many_jobs_by_one_cause_is_one_message_with_ranges(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(8))
    held = world.grants(pilot, 8)
    world.beat(pilot, *held)
    assert world.outbox()[-1] == ("job", task, "running", "0-7")
    world.lease(pilot, 0, reports=[Report(one, "succeeded") for one in held[:3] + held[5:]])
    assert world.outbox()[-1] == ("job", task, "finished", "0-2,5-7")


def test_messages_of_one_transaction_keep_the_order_of_what_happened_to_a_job(world: World) -> None:
    """Two pilots' calls in one group: what is merged must not be said before what came first."""
    pilot, other, task = world.pilot(), world.pilot(), world.submit(over=array(2))
    (first,), (second,) = world.grants(pilot), world.grants(other)
    with world.connection.begin():
        tx = Transaction(world.connection, world.now)
        Lease(pilot, LeaseRequest(BIG, 0, reports=[Report(first, "succeeded")]), world.dispatch).apply(tx)
        Beat(other, Heartbeat([HeldAttempt(second, "running")]), world.dispatch).apply(tx)
        Lease(other, LeaseRequest(BIG, 0, reports=[Report(second, "succeeded")]), world.dispatch).apply(tx)
        tx.finish()
    of_second = [state for kind, _, state, jobs in world.outbox() if kind == "job" and jobs and "1" in jobs]
    assert of_second == ["running", "finished"]
    assert world.task(task).state == "finished"


def test_ids_have_no_gaps_when_a_transaction_fails(world: World) -> None:
    world.submit()
    with world.connection.begin() as transaction:
        tx = Transaction(world.connection, world.now)
        tx.event("task", 1, "running")
        tx.finish()
        transaction.rollback()
    world.submit()
    with world.reading() as connection:
        ids = [row.id for row in outbox.read(connection, 0, 100)]
        assert ids == list(range(1, outbox.head(connection) + 1))


def test_readers_get_what_is_above_an_id_in_order(world: World) -> None:
    first, second = world.submit(), world.submit()
    with world.reading() as connection:
        rows = outbox.read(connection, 0, 100)
        assert [row.id for row in rows] == [1, 2, 3, 4]
        assert [row.id for row in outbox.read(connection, 2, 1)] == [3]
        assert [row.id for row in outbox.read(connection, 0, 100, second)] == [3, 4]
        assert outbox.read(connection, 4, 100) == []
        assert outbox.may_see(connection, first, "ada", ())
        assert not outbox.may_see(connection, first, "bob", ("ada",))


@pytest.mark.postgres
def test_a_reader_beside_several_writers_misses_no_message(cluster: Cluster) -> None:
    """A sequence's numbers would become visible out of order: a slow transaction's lower ones after a quick one's."""
    store = Store(cluster.migrated())
    seen: list[int] = []
    done = threading.Event()

    def write(kind: str) -> None:
        connection = store.writer_connection()
        for number in range(150):
            with connection.begin():
                tx = Transaction(connection, 1.0)
                tx.event("task", number, kind)
                tx.finish()
        release(connection)

    def read() -> None:
        at, over = 0, False
        while not over:
            over = done.is_set()  # and one last look
            with store.engine.connect() as connection:
                rows = outbox.read(connection, at, 1000)
            seen.extend(row.id for row in rows)
            at = rows[-1].id if rows else at

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(kind,)) for kind in ("ready", "running", "finished")]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    store.close()
    assert seen == list(range(1, 451))
