"""Kills end jobs at once and fence their attempts, which hold their room until the pilot says that they have ended."""

import pytest

from barnstorm.model.shape import Shape
from barnstorm_server.commands.submit import SLICE
from barnstorm_server.store.errors import NotFound

from .world import BIG, World, array


def kills(answer: object) -> list[str]:
    return [command.attempt for command in answer.commands if command.verb == "kill"]  # type: ignore[attr-defined]


def test_a_waiting_job_is_over_at_once(world: World) -> None:
    task = world.submit(over=array(3))
    assert world.kill(f"{task}.1") == 1
    job = world.job(f"{task}.1")
    assert (job.state, job.reason, job.fault) == ("cancelled", "wrong input", "killed")
    assert world.jobs(task) == {"activated": 2, "cancelled": 1}
    assert world.waiting() == 2


def test_killing_it_again_finds_it_ended(world: World) -> None:
    task = world.submit(over=array(3))
    world.kill(f"{task}.1")
    messages = world.outbox()
    assert world.kill(f"{task}.1") == 0
    assert world.outbox() == messages


def test_a_running_job_is_cancelled_while_its_attempt_goes_on(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.beat(pilot, attempt)
    world.kill(str(task))
    assert world.job(attempt).state == "cancelled"
    assert (world.attempt(attempt).state, world.attempt(attempt).stop) == ("running", "wrong input")
    assert world.task(task).state == "cancelled"
    assert world.committed.pilots == {pilot}


def test_the_pilot_is_told_until_it_confirms(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.kill(str(task))
    assert kills(world.beat(pilot, attempt)) == [attempt]
    assert kills(world.lease(pilot, held=[attempt])) == [attempt]
    assert kills(world.beat(pilot, attempt)) == [attempt]
    assert world.report(pilot, attempt, "cancelled").status == "accepted"
    assert world.attempt(attempt).state == "cancelled"
    assert kills(world.beat(pilot)) == []


def test_a_late_success_stays_cancelled(world: World) -> None:
    pilot, task = world.pilot(), world.submit(retries=3)
    attempt = world.grant(pilot)
    world.kill(str(task))
    assert world.report(pilot, attempt, "succeeded", exit_code=0).status == "accepted"
    assert (world.job(attempt).state, world.attempt(attempt).state) == ("cancelled", "succeeded")
    assert world.task(task).state == "cancelled"


def test_a_late_failure_is_not_tried_again(world: World) -> None:
    pilot, task = world.pilot(), world.submit(retries=3)
    attempt = world.grant(pilot)
    world.kill(f"{task}.0")
    world.report(pilot, attempt, "failed", fault="stage_out")
    assert world.job(attempt).state == "cancelled"
    assert world.grants(pilot) == []


def test_a_fenced_attempt_of_a_lost_pilot_ends_with_it(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.kill(str(task))
    assert world.lose(pilot) == 1
    assert (world.job(attempt).state, world.attempt(attempt).state) == ("cancelled", "lost")
    assert world.jobs(task) == {"cancelled": 1}


def test_a_fenced_attempt_does_not_move_its_job(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.kill(str(task))
    world.beat(pilot, attempt, state="running")
    assert (world.job(attempt).state, world.attempt(attempt).state) == ("cancelled", "running")


def test_a_task_is_killed_in_slices_but_none_of_its_jobs_starts_any_more(world: World) -> None:
    task = world.submit(over=array(2 * SLICE + 5))
    world.work()
    assert world.kill(str(task)) == 2 * SLICE + 5
    assert world.task(task).killed == "wrong input"
    assert world.jobs(task)["cancelled"] == SLICE
    world.work()
    assert world.jobs(task) == {"cancelled": 2 * SLICE + 5}
    assert world.task(task).state == "cancelled"
    assert world.waiting() == 0


def test_no_job_of_a_killed_task_is_granted_between_its_slices(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(2 * SLICE + 5))
    world.work()
    world.kill(str(task))
    assert world.grants(pilot, 8) == []


def test_a_task_killed_before_all_its_jobs_are_made_ends_with_all_of_them(world: World) -> None:
    task = world.submit(over=array(2 * SLICE + 5))
    assert world.kill(str(task)) == 2 * SLICE + 5
    world.work()
    assert world.jobs(task) == {"cancelled": 2 * SLICE + 5}
    assert world.task(task).state == "cancelled"


def test_a_failure_in_a_task_being_killed_is_not_tried_again(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(2 * SLICE), retries=5)
    world.work()
    last = f"{task}.{2 * SLICE - 1}"
    world.kill(f"{task}.0")
    held = world.grants(pilot, 8)
    world.kill(str(task))
    for attempt in held:
        world.report(pilot, attempt, "failed", fault="exit")
    world.work()
    assert world.job(last).state == "cancelled"
    assert set(world.jobs(task)) <= {"cancelled", "failed"}  # failed: the kill had not come to it
    assert {world.job(attempt).next_attempt for attempt in held} == {2}


def test_killing_a_task_that_has_ended_kills_nothing(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    world.report(pilot, world.grant(pilot))
    assert world.kill(str(task)) == 0
    assert world.task(task).state == "finished"
    assert world.job(f"{task}.0").state == "finished"


def test_a_job_in_its_backoff_can_be_killed(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    world.report(pilot, world.grant(pilot), "failed", fault="stage_in")
    assert world.job(f"{task}.0").not_before is not None
    assert world.kill(str(task)) == 1
    world.later(10_000)
    assert world.release_due() == 0
    assert world.jobs(task) == {"cancelled": 1}


@pytest.mark.parametrize("name", ["{}", "{}.0"])
def test_nobody_kills_what_is_not_his(world: World, name: str) -> None:
    task = world.submit("ada")
    with pytest.raises(NotFound):
        world.kill(name.format(task), owner="bob")
    assert world.kill(name.format(task), owner=None) == 1  # an operator


def test_a_kill_in_the_middle_of_a_task_ends_it_as_partly_done(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(3))
    held = world.grants(pilot, 2)
    world.report(pilot, held[0])
    world.kill(str(task))
    assert world.task(task).state == "subfinished"
    assert world.jobs(task) == {"finished": 1, "cancelled": 2}


def test_what_is_killed_keeps_its_room_until_it_is_confirmed(world: World) -> None:
    """A pilot that names what it still holds gets no more than its free room, as it says itself."""
    pilot = world.pilot()
    first = world.submit(over=array(8))
    held = world.grants(pilot, 8)
    world.kill(str(first))
    world.submit(over=array(8))
    nothing = Shape(cores=0, memory_mib=0, disk_mib=0, walltime_s=3600)
    assert world.grants(pilot, 8, held=held, free=nothing) == []
    for attempt in held:
        world.report(pilot, attempt, "cancelled")
    assert len(world.grants(pilot, 8, free=BIG)) == 8
