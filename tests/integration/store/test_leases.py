"""Leases: what is granted, to whom, in which order, and what happens when an answer is lost."""

import pytest

from barnstorm.model.collection import FileIn, Files, Rows
from barnstorm.model.marks import Mark
from barnstorm.model.pilots import Report
from barnstorm.model.queue import Accepts, Lane, Range
from barnstorm.model.shape import Needs, Shape
from barnstorm_server.commands.queues import AddMark
from barnstorm_server.store.errors import NotFound

from .world import BIG, World, array


def small(cores: int = 1, memory_mib: int = 4000) -> Shape:
    return Shape(cores=cores, memory_mib=memory_mib, walltime_s=3600, disk_mib=50_000)


def test_a_grant_carries_what_the_pilot_needs_to_run_the_job(world: World) -> None:
    pilot = world.pilot()
    task = world.submit(
        name="toys", over=Rows(["mu", "seed"], [[0.5, 7]]), env={"A": "b"}, needs=Needs(memory_mib=1234)
    )
    answer = world.lease(pilot)
    (grant,) = answer.grants
    assert grant.attempt == f"{task}.0/1"
    assert grant.values == {"mu": 0.5, "seed": 7}
    assert grant.needs == Shape(memory_mib=1234)  # its own, not the rounded shape of its bucket
    body = answer.tasks[str(task)]
    assert (body.task, body.owner, body.name, body.env) == (task, "ada", "toys", {"A": "b"})
    assert world.job(grant.attempt).state == "sent"
    assert world.attempt(grant.attempt).state == "leased"
    assert world.task(task).state == "running"


def test_a_job_of_a_collection_of_files_gets_its_own_file(world: World) -> None:
    pilot = world.pilot()
    files = [FileIn(f"site:/data/{n}.root", f"{n}.root") for n in range(3)]
    world.submit(over=Files(files))
    answer = world.lease(pilot, 3)
    assert [grant.file for grant in answer.grants] == files
    assert len(answer.tasks) == 1


def test_no_more_is_granted_than_asked_for_or_than_fits(world: World) -> None:
    pilot = world.pilot()
    world.submit(over=array(20))
    assert len(world.grants(pilot, 3, free=BIG)) == 3
    assert len(world.grants(world.pilot(), 100, free=BIG)) == BIG.cores


def test_nothing_is_granted_to_a_call_without_room(world: World) -> None:
    pilot = world.pilot()
    world.submit()
    assert world.grants(pilot, 0) == []
    assert world.grants(pilot, free=small(memory_mib=1)) == []


def test_jobs_are_granted_by_index(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(10))
    assert world.grants(pilot, 4) == [f"{task}.{index}/1" for index in range(4)]


def test_higher_priority_goes_first_then_the_older_task(world: World) -> None:
    pilot = world.pilot()
    old, new, urgent = world.submit(), world.submit(needs=Needs(memory_mib=100)), world.submit(priority=5)
    assert world.grants(pilot, 3) == [f"{urgent}.0/1", f"{old}.0/1", f"{new}.0/1"]


def test_a_job_too_big_for_the_room_does_not_hold_up_smaller_ones(world: World) -> None:
    pilot = world.pilot()
    world.submit(priority=9, needs=Needs(cores=4))
    little = world.submit()
    assert world.grants(pilot, 2, free=small(2)) == [f"{little}.0/1"]


def test_different_jobs_fill_the_room_together(world: World) -> None:
    pilot = world.pilot()
    wide, narrow = world.submit(priority=1, needs=Needs(cores=3)), world.submit(over=array(5))
    granted = world.grants(pilot, 10, free=small(4, 32_000))
    assert granted == [f"{wide}.0/1", f"{narrow}.0/1"]


def test_a_job_that_would_outlive_the_worker_waits_for_another(world: World) -> None:
    pilot = world.pilot()
    world.submit(needs=Needs(walltime_s=3600))
    assert world.grants(pilot, walltime_left_s=3599) == []
    assert len(world.grants(pilot, walltime_left_s=3601)) == 1


def test_jobs_ahead_are_leased_beyond_the_room(world: World) -> None:
    pilot = world.pilot()
    world.submit(over=array(20))
    assert len(world.grants(pilot, 10, free=small(2, 8000), ahead=3)) == 5


def test_jobs_ahead_are_leased_when_nothing_is_free(world: World) -> None:
    pilot = world.pilot()
    world.submit(over=array(20))
    full = Shape(cores=0, memory_mib=0, walltime_s=3600, disk_mib=0)
    assert len(world.grants(pilot, 10, free=full, ahead=3)) == 3


def test_no_job_is_leased_ahead_that_would_never_fit_the_worker(world: World) -> None:
    pilot = world.pilot(shape=small(2))
    world.submit(needs=Needs(cores=4))
    assert world.grants(pilot, 10, free=small(2), ahead=3) == []


def test_jobs_ahead_count_against_what_may_be_granted(world: World) -> None:
    pilot = world.pilot()
    world.submit(over=array(20))
    assert len(world.grants(pilot, 4, free=small(2, 8000), ahead=10)) == 4


class TestLostAnswers:
    """Grants whose answer never arrived are handed out again, unchanged."""

    def test_a_grant_that_is_not_named_is_granted_again_unchanged(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(5))
        first = world.lease(pilot, 2)
        again = world.lease(pilot, 2)
        assert again.grants == first.grants
        assert again.tasks == first.tasks
        assert world.jobs(task) == {"activated": 3, "sent": 2}

    def test_what_is_named_is_not_granted_again(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(5))
        held = world.grants(pilot, 2)
        assert world.grants(pilot, 2, held=held) == [f"{task}.2/1", f"{task}.3/1"]

    def test_what_is_reported_in_the_same_call_counts_as_named(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(3))
        (first,) = world.grants(pilot)
        assert world.grants(pilot, reports=[Report(first, "succeeded")]) == [f"{task}.1/1"]

    def test_what_is_granted_again_takes_its_room(self, world: World) -> None:
        pilot, _ = world.pilot(shape=small(2, 8000)), world.submit(over=array(10))
        first = world.grants(pilot, 10, free=small(2, 8000))
        assert len(first) == 2
        assert world.grants(pilot, 10, free=small(2, 8000)) == first

    def test_what_was_granted_ahead_is_granted_again_ahead(self, world: World) -> None:
        pilot, _ = world.pilot(shape=small(2, 8000)), world.submit(over=array(10))
        first = world.grants(pilot, 10, free=small(2, 8000), ahead=2)
        assert len(first) == 4
        assert world.grants(pilot, 10, free=small(2, 8000), ahead=2) == first

    def test_a_killed_grant_is_not_granted_again_but_killed(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        world.kill(str(task))
        answer = world.lease(pilot)
        assert answer.grants == []
        assert [(command.verb, command.attempt) for command in answer.commands] == [("kill", attempt)]

    def test_an_attempt_that_has_begun_is_not_granted_again(self, world: World) -> None:
        pilot = world.pilot()
        world.submit()
        attempt = world.grant(pilot)
        world.beat(pilot, attempt)
        assert world.grants(pilot) == []

    def test_a_pilot_of_a_paused_queue_too_hears_of_what_it_was_granted(self, world: World) -> None:
        """Else the attempt would be lost, though its pilot asks for it."""
        pilot = world.pilot()
        world.submit()
        first = world.grants(pilot)
        world.do(AddMark("q", world.key(), Mark("paused")))
        with world.reading() as connection:
            world.catalog.load(connection)
        assert world.grants(pilot) == first


class TestIsolation:
    """Where a queue isolates nothing, a pilot serves one owner at a time."""

    def test_a_pilot_of_a_queue_without_isolation_gets_jobs_of_one_owner(self, world: World) -> None:
        world.queue("open", isolation="none")
        pilot = world.pilot("open")
        ada = world.submit("ada", over=array(2))
        world.submit("bob", over=array(2))
        assert world.grants(pilot, 8) == [f"{ada}.0/1", f"{ada}.1/1"]
        assert world.pilot_row(pilot).owner == "ada"

    def test_it_changes_the_owner_only_when_it_holds_nothing(self, world: World) -> None:
        world.queue("open", isolation="none")
        pilot = world.pilot("open")
        ada = world.grants(pilot) if world.submit("ada") else []
        bob = world.submit("bob")
        assert world.grants(pilot, held=ada) == []
        assert world.grants(pilot, reports=[Report(ada[0], "succeeded")]) == [f"{bob}.0/1"]
        assert world.pilot_row(pilot).owner == "bob"

    def test_a_killed_attempt_still_keeps_its_owner(self, world: World) -> None:
        world.queue("open", isolation="none")
        pilot, ada = world.pilot("open"), world.submit("ada")
        held = world.grants(pilot)
        world.submit("bob")
        world.kill(str(ada))
        assert world.grants(pilot, held=held) == []
        world.report(pilot, held[0], "cancelled")
        assert len(world.grants(pilot)) == 1

    @pytest.mark.parametrize("isolation", ["user", "container"])
    def test_an_isolating_queue_mixes_owners(self, world: World, isolation: str) -> None:
        world.queue("closed", isolation=isolation)
        pilot = world.pilot("closed")
        world.submit("ada")
        world.submit("bob")
        assert len(world.grants(pilot, 8)) == 2


class TestQueues:
    """A pilot gets what its queue accepts, and what its queue's status allows."""

    def test_what_the_queue_does_not_accept_is_not_granted(self, world: World) -> None:
        world.queue("small", accepts=Accepts(memory_mib=Range(max=2000)))
        pilot = world.pilot("small")
        world.submit(needs=Needs(memory_mib=4000))
        fits = world.submit(needs=Needs(memory_mib=2000))
        assert world.grants(pilot, 8) == [f"{fits}.0/1"]

    def test_no_lane_no_grant(self, world: World) -> None:
        world.queue("lanes", lanes=[Lane("narrow", when={"cores": Range(max=2)})])
        world.submit(needs=Needs(cores=4))
        assert world.grants(world.pilot("lanes"), 8) == []

    def test_a_job_that_names_another_queue_is_not_granted(self, world: World) -> None:
        pilot = world.pilot("q")
        world.submit(queues=["r"])
        assert world.grants(pilot) == []

    @pytest.mark.parametrize(
        ("status", "granted"),
        [
            ("online", {"any", "named", "test"}),
            ("brokeroff", {"named"}),
            ("test", {"test"}),
            ("draining", set()),
            ("paused", set()),
            ("offline", set()),
            ("retired", set()),
        ],
    )
    def test_the_status_says_what_pilots_take(self, world: World, status: str, granted: set[str]) -> None:
        pilot = world.pilot()
        tasks = {
            f"{world.submit()}.0/1": "any",
            f"{world.submit(queues=['q'])}.0/1": "named",
            f"{world.submit(labels={'test': 'true'})}.0/1": "test",
        }
        world.do(AddMark("q", "m", Mark(status)))  # type: ignore[arg-type]
        with world.reading() as connection:
            world.catalog.load(connection)
        assert {tasks[attempt] for attempt in world.grants(pilot, 8)} == granted

    def test_a_mark_that_has_ended_holds_nothing_up(self, world: World) -> None:
        pilot = world.pilot()
        world.submit()
        world.do(AddMark("q", "m", Mark("offline", until=world.now + 10)))
        with world.reading() as connection:
            world.catalog.load(connection)
        assert world.grants(pilot) == []
        world.later(11)
        assert len(world.grants(pilot)) == 1


class TestTheLeaseClock:
    """One column on the pilot, however many attempts it holds."""

    def test_a_lease_is_a_sign_of_life(self, world: World) -> None:
        pilot = world.pilot()
        world.later(30)
        world.lease(pilot)
        assert world.pilot_row(pilot).seen_at == world.now

    def test_the_pilots_state_follows_what_it_holds(self, world: World) -> None:
        pilot = world.pilot()
        world.submit()
        assert world.pilot_row(pilot).state == "idle"
        attempt = world.grant(pilot)
        assert world.pilot_row(pilot).state == "busy"
        world.report(pilot, attempt)
        assert world.pilot_row(pilot).state == "idle"

    def test_a_pilot_that_was_ended_is_told_to_leave(self, world: World) -> None:
        pilot = world.pilot()
        world.lose(pilot)
        with pytest.raises(NotFound):
            world.lease(pilot)
        with pytest.raises(NotFound):
            world.lease(4711)


def test_a_killed_task_grants_nothing_more(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(5))
    world.kill(str(task))
    assert world.grants(pilot, 8) == []


def test_no_attempt_number_is_used_twice(world: World) -> None:
    pilot, task = world.pilot(), world.submit(retries=3)
    numbers = []
    for _ in range(4):
        attempt = world.grant(pilot)
        numbers.append(attempt)
        world.report(pilot, attempt, "failed", fault="exit")
    assert numbers == [f"{task}.0/{number}" for number in (1, 2, 3, 4)]
    assert world.jobs(task) == {"failed": 1}
