"""Heartbeats: they keep leases, move attempts, and find what the two sides know differently."""

import pytest

from barnstorm.model.pilots import Heartbeat, HeldAttempt
from barnstorm_server.commands.heartbeat import Beat, EndPilot
from barnstorm_server.commands.pilots import Wish
from barnstorm_server.store.errors import NotFound

from .world import HEARTBEAT_S, World, array

BEATS = HEARTBEAT_S + 1  # long enough after a grant that the pilot must know of it


def test_a_heartbeat_moves_attempts_and_their_jobs(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    for state in ("starting", "running", "transferring"):
        world.beat(pilot, attempt, state=state)
        assert (world.attempt(attempt).state, world.job(attempt).state) == (state, state)


def test_the_start_is_told_by_its_age(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.later(30)
    held = HeldAttempt(attempt, "running", started_ago_s=20)
    world.do(Beat(pilot, Heartbeat(held=[held]), world.dispatch))
    assert world.job(attempt).started_at == world.now - 20


def test_a_late_heartbeat_moves_nothing_back(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.beat(pilot, attempt, state="running")
    world.beat(pilot, attempt, state="starting")
    assert world.job(attempt).state == "running"


def test_a_heartbeat_is_one_row_update_however_much_the_pilot_holds(world: World) -> None:
    pilot, _ = world.pilot(), world.submit(over=array(8))
    held = world.grants(pilot, 8)
    world.beat(pilot, *held)
    with world.statements() as seen:
        world.beat(pilot, *held)
    assert sum(statement.startswith("UPDATE") for statement, _ in seen) == 1


def test_an_attempt_that_the_server_does_not_know_is_to_be_stopped(world: World) -> None:
    pilot, other, _ = world.pilot(), world.pilot(), world.submit()
    foreign = world.grant(other)
    answer = world.beat(pilot, foreign, "77.0/1", "nonsense")
    told = {command.attempt: command.verb for command in answer.commands}
    assert told == {foreign: "stop", "77.0/1": "stop", "nonsense": "stop"}
    assert world.attempt(foreign).state == "leased"


def test_an_attempt_unnamed_twice_is_lost_and_its_job_waits_again(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.later(BEATS)
    world.beat(pilot)
    assert world.attempt(attempt).state == "leased"
    world.later(BEATS)
    world.beat(pilot)
    row = world.attempt(attempt)
    assert (row.state, row.fault) == ("lost", "not_held")
    assert world.jobs(task) == {"activated": 1}
    assert world.job(attempt).spent == 0


def test_naming_it_in_between_makes_good(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    for named in ([], [attempt], [], [attempt], []):
        world.later(BEATS)
        world.beat(pilot, *named, state="leased")
    assert world.attempt(attempt).state == "leased"


def test_a_grant_on_its_way_is_not_counted_as_unnamed(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    for _ in range(5):
        world.beat(pilot)
    assert world.attempt(attempt).state == "leased"
    assert world.attempt(attempt).unnamed == 0


def test_a_grant_handed_out_again_is_on_its_way_again(world: World) -> None:
    """Its first answer was lost long ago; the second one the pilot cannot name before it has read it."""
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.later(BEATS)
    world.beat(pilot)
    assert world.grants(pilot) == [attempt]
    world.beat(pilot)
    assert world.attempt(attempt).state == "leased"


def test_a_leaving_pilot_gives_up_what_it_held(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(2))
    held = world.grants(pilot, 2)
    world.do(Beat(pilot, Heartbeat(leaving=True, why="drained"), world.dispatch))
    row = world.pilot_row(pilot)
    assert (row.state, row.why, row.ended_at) == ("gone", "drained", world.now)
    assert {world.attempt(one).state for one in held} == {"lost"}
    assert world.jobs(task) == {"activated": 2}
    with pytest.raises(NotFound):
        world.beat(pilot)


def test_wishes_are_heard_with_each_call(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    world.do(Wish(pilot, "drain", "downtime"))
    assert world.committed.pilots == {pilot}
    for answer in (world.beat(pilot), world.lease(pilot)):
        assert [(command.verb, command.why) for command in answer.commands] == [("drain", "downtime")]
    assert world.grants(pilot) == []


def test_a_draining_pilot_does_not_turn_back(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    world.do(Beat(pilot, Heartbeat(state="draining"), world.dispatch))
    world.do(Beat(pilot, Heartbeat(state="idle"), world.dispatch))
    assert world.pilot_row(pilot).state == "draining"
    assert world.grants(pilot) == []


class TestTheWatchdogsEnd:
    """EndPilot ends a pilot, unless it was heard in the last moment."""

    def test_all_that_a_lost_pilot_held_waits_again(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(3))
        held = world.grants(pilot, 3)
        world.beat(pilot, held[0])
        world.later(100)
        assert world.lose(pilot) == 3
        assert {world.attempt(one).state for one in held} == {"lost"}
        assert world.jobs(task) == {"activated": 3}
        assert world.pilot_row(pilot).state == "lost"

    def test_a_heartbeat_that_came_first_saves_it(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit()
        attempt, seen = world.grant(pilot), world.now
        world.later(100)
        world.beat(pilot, attempt)
        assert world.do(EndPilot(pilot, seen, "silent", world.dispatch)) == 0
        assert world.attempt(attempt).state == "running"

    def test_ending_it_twice_changes_nothing_more(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit()
        world.grant(pilot)
        assert world.lose(pilot) == 1
        messages = world.outbox()
        assert world.lose(pilot) == 0
        assert world.outbox() == messages
