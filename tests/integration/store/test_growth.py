"""What a hot call costs does not grow with what waits, nor with what has been: statements counted, plans looked at."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from barnstorm.model.pilots import Report
from barnstorm_server.agents.brokerage import demand_now
from barnstorm_server.commands.release import ReleaseDue

from .world import World, array

MANY = 10_000


def filled(world: World, jobs: int) -> int:
    """A pilot, and so many jobs that wait, and nothing else."""
    for task in world.rows("SELECT id FROM tasks WHERE ended_at IS NULL"):
        world.kill(str(task.id))
        world.work()
    pilot = world.pilot()
    world.submit(over=array(jobs))
    world.work()
    world.grants(pilot)  # what is remembered from the first time on
    world.lose(pilot)
    return world.pilot()


def count(world: World, pilot: int) -> dict[str, int]:
    """How many statements each hot call takes."""
    counts = {}
    with world.statements() as seen:
        (attempt,) = world.grants(pilot)
    counts["lease"] = len(seen)
    with world.statements() as seen:
        world.beat(pilot, attempt)
    counts["heartbeat that moves"] = len(seen)
    with world.statements() as seen:
        world.beat(pilot, attempt)
    counts["heartbeat"] = len(seen)
    with world.statements() as seen:
        world.lease(pilot, reports=[Report(attempt, "succeeded")])
    counts["report and lease"] = len(seen)
    return counts


def test_statements_of_hot_calls_are_few_and_do_not_grow_with_what_waits(world: World) -> None:
    few = count(world, filled(world, 5))
    many = count(world, filled(world, MANY))
    assert many == few
    bounds = {"lease": 12, "heartbeat that moves": 8, "heartbeat": 3, "report and lease": 17}
    assert {name: few[name] for name in bounds if few[name] > bounds[name]} == {}


def test_a_lease_of_many_jobs_costs_hardly_more_statements_than_one_of_one(world: World) -> None:
    pilot = filled(world, 100)
    with world.statements() as seen:
        one = world.grants(pilot)
    statements = len(seen)
    with world.statements() as seen:
        assert len(world.grants(pilot, 7, held=one)) == 7
    assert len(seen) <= statements


def test_a_heartbeat_reads_the_same_whatever_it_holds(world: World) -> None:
    pilot = filled(world, 100)
    held = world.grants(pilot, 1)
    world.beat(pilot, *held)
    with world.statements() as seen:
        world.beat(pilot, *held)
    one = len(seen)
    held += world.grants(pilot, 7, held=held)
    world.beat(pilot, *held)
    with world.statements() as seen:
        world.beat(pilot, *held)
    assert len(seen) == one


def test_a_kill_costs_a_bounded_number_of_statements_for_each_slice(world: World) -> None:
    task = world.submit(over=array(MANY))
    world.work()
    with world.statements() as seen:
        world.kill(str(task))
    assert len(seen) < 15


SCANS = re.compile(
    r"\b(?:SCAN|Seq Scan on) (jobs|attempts|tasks|outbox|pilots|workers|tokens|blobs|outputs|edges|j|a|t)\b"
)
# These look at all that is alive, by an index that holds nothing else.
LIVE = "attempts_one_live|attempts_of_pilot|buckets_waiting|pilots_live|tasks_being_ended"
OF_ALL_LIVE = re.compile(rf"SCAN \w+ USING (COVERING )?INDEX ({LIVE})")


def explained(world: World, statement: str, values: Any) -> Iterator[str]:
    """The lines of a statement's plan on the writer's own connection."""
    how = "EXPLAIN QUERY PLAN" if world.store.is_sqlite else "EXPLAIN"
    one = values[0] if isinstance(values, list) else values
    with world.connection.begin() as transaction:
        for row in world.connection.exec_driver_sql(f"{how} {statement}", one):
            yield str(row[-1])
        transaction.rollback()


def test_no_hot_statement_looks_at_all_rows(world: World) -> None:
    """On SQLite a partial index serves a query only if it has the index's very words."""
    pilot, other = world.pilot(), world.pilot()
    task = world.submit(over=array(50), retries=1)
    first = world.submit()
    world.submit(after=[first], over=array(2))
    with world.statements() as seen:
        held = world.grants(pilot, 6)
        world.beat(pilot, *held)
        reports = [
            Report(held[0], "succeeded"),
            Report(held[1], "failed", fault="exit"),
            Report(held[2], "failed", fault="stage_in"),
            Report(held[3], "returned"),
        ]
        world.lease(pilot, 1, reports=reports)
        world.report(other, held[4])
        world.kill(f"{task}.{4}")
        world.kill(str(task))
        world.do(ReleaseDue(world.tasks))
        world.lose(pilot)
        while done := world.grants(other, 8):
            for attempt in done:
                world.report(other, attempt)
        world.work()
    with world.reading() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    scans = {}
    for statement, values in seen:
        if statement.split(" ")[0] in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"):
            plan = list(explained(world, statement, values))
            bad = [line for line in plan if SCANS.search(line) and not OF_ALL_LIVE.search(line)]
            if bad:
                scans[statement] = bad
    assert scans == {}


def test_brokerage_counts_what_is_alive_and_not_what_has_been(world: World) -> None:
    world.pilot()
    statements: list[str] = []
    with world.reading() as connection:
        execute = connection.execute

        def note(statement: Any, *values: Any) -> Any:
            statements.append(str(statement))
            return execute(statement, *values)

        connection.execute = note  # type: ignore[method-assign, assignment]
        demand_now(connection, world.catalog.queues, world.now)
    assert len(statements) == 2
    if world.store.is_sqlite:
        for statement in statements:
            assert not [
                line
                for line in explained(world, statement, {})
                if line.startswith("SCAN attempts") and "INDEX" not in line
            ]


@pytest.mark.parametrize("queues", [1, 20])
def test_brokerage_reads_the_same_for_one_queue_and_for_many(world: World, queues: int) -> None:
    for number in range(queues):
        world.queue(f"q{number}")
    world.submit(over=array(10))
    with world.reading() as connection:
        demand = demand_now(connection, world.catalog.queues, world.now).demand
    assert sum(part.jobs for parts in demand.values() for part in parts) == 10
