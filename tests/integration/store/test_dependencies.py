"""`after`: a task waits for others to end well, by a counter that goes down in the transaction that ends them."""

import pytest

from barnstorm_server.commands.submit import SLICE

from .world import World, array


def finish(world: World, pilot: int, task: int, state: str = "succeeded") -> None:
    """Run all jobs of a task that wait now."""
    while held := [one for one in world.grants(pilot, 8) if one.startswith(f"{task}.")]:
        for attempt in held:
            world.report(pilot, attempt, state, fault="" if state == "succeeded" else "exit")


def test_a_task_waits_for_the_ones_it_names(world: World) -> None:
    pilot = world.pilot()
    first, second = world.submit(over=array(2)), world.submit()
    merge = world.submit(after=[first, second])
    assert world.jobs(merge) == {"defined": 1}
    assert world.waiting() == 3
    finish(world, pilot, first)
    assert world.task(merge).waits == 1
    finish(world, pilot, second)
    assert world.task(merge).waits == 0
    world.work()
    assert world.jobs(merge) == {"activated": 1}
    finish(world, pilot, merge)
    assert world.task(merge).state == "finished"


def test_the_count_goes_down_in_the_transaction_that_ends_the_last_job(world: World) -> None:
    pilot, first = world.pilot(), world.submit(over=array(2))
    merge = world.submit(after=[first])
    held = world.grants(pilot, 2)
    world.report(pilot, held[0])
    assert world.task(merge).waits == 1
    world.report(pilot, held[1])
    assert world.committed.tasks_to_work_on  # the agent that releases is woken
    assert (world.task(first).state, world.task(merge).waits) == ("finished", 0)


def test_naming_a_task_twice_counts_once(world: World) -> None:
    first = world.submit()
    assert world.task(world.submit(after=[first, first])).waits == 1


def test_a_task_that_has_ended_well_is_not_waited_for(world: World) -> None:
    pilot, first = world.pilot(), world.submit()
    finish(world, pilot, first)
    merge = world.submit(after=[first])
    assert world.jobs(merge) == {"activated": 1}


@pytest.mark.parametrize("end", ["failed", "killed", "partly"])
def test_a_task_that_ended_badly_closes_those_that_wait_for_it(world: World, end: str) -> None:
    pilot, first = world.pilot(), world.submit(over=array(2))
    merge = world.submit(after=[first], over=array(3))
    last = world.submit(after=[merge])
    held = world.grants(pilot, 2)
    if end == "killed":
        world.kill(str(first))
    else:
        world.report(pilot, held[0], "failed", fault="exit")
        world.report(pilot, held[1], "succeeded" if end == "partly" else "failed")
    world.work()
    assert world.jobs(merge) == {"closed": 3}
    assert world.task(merge).state == "failed"
    assert world.job(f"{merge}.0").reason.startswith(f"task {first} ended")
    assert world.job(f"{merge}.0").fault == "upstream"
    assert world.jobs(last) == {"closed": 1}


def test_a_big_waiting_task_is_released_in_slices(world: World) -> None:
    pilot, first = world.pilot(), world.submit()
    merge = world.submit(after=[first], over=array(2 * SLICE + 1))
    world.work()
    assert world.jobs(merge) == {"defined": 2 * SLICE + 1}
    assert world.task(merge).state == "ready"
    finish(world, pilot, first)
    world.slice()
    assert world.jobs(merge) == {"activated": SLICE, "defined": SLICE + 1}
    world.work()
    assert world.jobs(merge) == {"activated": 2 * SLICE + 1}


def test_a_task_released_while_it_is_still_being_made_loses_no_job(world: World) -> None:
    pilot, first = world.pilot(), world.submit()
    merge = world.submit(after=[first], over=array(3 * SLICE))
    finish(world, pilot, first)
    world.work()
    assert world.jobs(merge) == {"activated": 3 * SLICE}
    assert world.task(merge).released == 3 * SLICE


def test_a_waiting_task_can_be_killed(world: World) -> None:
    first = world.submit()
    merge = world.submit(after=[first], over=array(3))
    assert world.kill(str(merge)) == 3
    assert world.jobs(merge) == {"cancelled": 3}


def test_a_job_killed_while_it_waits_is_not_released(world: World) -> None:
    pilot, first = world.pilot(), world.submit()
    merge = world.submit(after=[first], over=array(3))
    world.kill(f"{merge}.1")
    finish(world, pilot, first)
    world.work()
    assert world.jobs(merge) == {"activated": 2, "cancelled": 1}


def test_the_end_of_a_task_that_many_wait_for_reaches_all_of_them(world: World) -> None:
    pilot, first = world.pilot(), world.submit()
    waiters = [world.submit(after=[first]) for _ in range(20)]
    finish(world, pilot, first)
    world.work()
    assert all(world.jobs(waiter) == {"activated": 1} for waiter in waiters)
