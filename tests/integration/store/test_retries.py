"""Another try: what it costs, how long it waits, and when there is none."""

import pytest

from barnstorm_server.rules.retry import BACKOFF_S, FREE_TRIES

from .world import World, array


def fail(world: World, pilot: int, state: str = "failed", **fields: object) -> str:
    """Let the next attempt end badly."""
    attempt = world.grant(pilot)
    world.report(pilot, attempt, state, **fields)
    return attempt


def test_a_users_own_failure_is_not_tried_again_unless_asked(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    fail(world, pilot, fault="exit", exit_code=1)
    assert (world.task(task).state, world.job(f"{task}.0").exit_code) == ("failed", 1)


def test_retries_are_spent_one_by_one(world: World) -> None:
    pilot, task = world.pilot(), world.submit(retries=2)
    for spent in (1, 2):
        fail(world, pilot, fault="exit")
        job = world.job(f"{task}.0")
        assert (job.state, job.spent, job.reason) == ("activated", spent, f"retry {spent} of 2")
    fail(world, pilot, fault="exit")
    assert (world.job(f"{task}.0").state, world.job(f"{task}.0").spent) == ("failed", 3)


@pytest.mark.parametrize("fault", ["stage_in", "stage_out", "work_dir", "disk_full", "preempted", "pilot"])
def test_a_fault_of_the_site_costs_no_retry_but_a_pause(world: World, fault: str) -> None:
    pilot, task = world.pilot(), world.submit()
    fail(world, pilot, fault=fault)
    job = world.job(f"{task}.0")
    assert (job.state, job.spent, job.free_tries) == ("activated", 0, 1)
    assert job.not_before == world.now + BACKOFF_S
    assert world.waiting() == 0
    assert world.grants(pilot) == []


def test_a_backoff_ends_when_its_time_has_come(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(2))
    fail(world, pilot, fault="stage_in")
    assert world.release_due() == 0
    world.later(BACKOFF_S + 1)
    assert world.release_due() == 1
    assert world.release_due() == 0
    assert world.waiting() == 2
    assert world.grants(pilot, 8) == [f"{task}.0/2", f"{task}.1/1"]


def test_the_pause_grows_with_each_free_try_and_they_are_bounded(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    pauses = []
    for _ in range(FREE_TRIES):
        fail(world, pilot, fault="stage_in")
        pauses.append(world.job(f"{task}.0").not_before - world.now)
        world.later(pauses[-1] + 1)
        world.release_due()
    assert pauses == sorted(pauses)
    assert pauses[-1] > 100
    fail(world, pilot, fault="stage_in")
    assert world.task(task).state == "failed"


def test_a_lost_attempt_is_tried_again_at_once(world: World) -> None:
    first, task = world.pilot(), world.submit()
    world.grant(first)
    world.lose(first)
    job = world.job(f"{task}.0")
    assert (job.state, job.spent, job.free_tries, job.not_before) == ("activated", 0, 1, None)
    assert world.grants(world.pilot()) == [f"{task}.0/2"]


def test_a_job_that_always_loses_its_pilot_ends_one_day(world: World) -> None:
    task = world.submit()
    for _ in range(FREE_TRIES + 1):
        pilot = world.pilot()
        world.grant(pilot)
        world.lose(pilot)
    assert world.jobs(task) == {"failed": 1}


def test_what_is_given_back_costs_nothing_at_all(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    for number in range(1, FREE_TRIES + 5):
        assert fail(world, pilot, "returned") == f"{task}.0/{number}"
    job = world.job(f"{task}.0")
    assert (job.state, job.spent, job.free_tries) == ("activated", 0, 0)
    assert world.attempt(f"{task}.0/1").state == "returned"


def test_only_what_has_not_begun_can_be_given_back(world: World) -> None:
    """Else a pilot that always gives up would run a job without end."""
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.beat(pilot, attempt, state="running")
    assert world.report(pilot, attempt, "returned").status == "accepted"
    assert (world.attempt(attempt).state, world.attempt(attempt).fault) == ("failed", "pilot")
    assert world.job(f"{task}.0").free_tries == 1


def test_a_cancelled_attempt_is_not_tried_again(world: World) -> None:
    pilot, task = world.pilot(), world.submit(retries=5)
    fail(world, pilot, "cancelled", fault="killed")
    assert world.task(task).state == "cancelled"


def test_failures_of_other_jobs_spend_nothing_of_mine(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(2), retries=1)
    fail(world, pilot, fault="exit")
    assert (world.job(f"{task}.0").spent, world.job(f"{task}.1").spent) == (1, 0)


def test_a_success_after_failures_forgets_their_traces(world: World) -> None:
    pilot, task = world.pilot(), world.submit(retries=1)
    fail(world, pilot, fault="exit", exit_code=3, message="no such file")
    world.report(pilot, world.grant(pilot), exit_code=0)
    job = world.job(f"{task}.0")
    assert (job.state, job.exit_code, job.fault, job.message) == ("finished", 0, None, None)


def test_many_backoffs_are_released_in_slices(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(30))
    while held := world.grants(pilot, 8):
        for attempt in held:
            world.report(pilot, attempt, "failed", fault="stage_in")
    world.later(BACKOFF_S + 1)
    assert world.release_due() == 30
    assert world.jobs(task) == {"activated": 30}
    assert world.waiting() == 30
