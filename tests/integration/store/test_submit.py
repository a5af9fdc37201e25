"""Accepting tasks: once, whole, and in slices that nobody waits behind."""

import pytest

from barnstorm.model.collection import FileIn, Seeds
from barnstorm_server.commands.submit import SLICE
from barnstorm_server.store.errors import Invalid

from .world import World, array


def test_a_single_job_waits_at_once(world: World) -> None:
    task = world.submit()
    assert world.jobs(task) == {"activated": 1}
    assert world.waiting() == 1
    assert world.task(task).state == "ready"
    assert world.outbox() == [("task", task, "registered", None), ("task", task, "ready", None)]


def test_a_repeat_with_the_same_key_gets_the_first_answer(world: World) -> None:
    first = world.submit(key="k", over=array(3))
    assert world.submit(key="k", over=array(3)) == first
    assert world.submit(key="k", name="something else") == first
    assert world.jobs(first) == {"activated": 3}
    assert world.waiting() == 3


def test_two_owners_may_use_the_same_key(world: World) -> None:
    assert world.submit("ada", key="k") != world.submit("bob", key="k")


def test_an_array_over_one_slice_is_registered_until_its_last_slice_is_in(world: World) -> None:
    task = world.submit(over=array(2 * SLICE + 1))
    assert world.task(task).state == "registered"
    assert world.jobs(task) == {"activated": SLICE}
    assert world.slice() == 1
    assert world.jobs(task) == {"activated": 2 * SLICE}
    assert world.task(task).state == "registered"
    world.work()
    assert world.jobs(task) == {"activated": 2 * SLICE + 1}
    assert world.task(task).state == "ready"
    assert world.waiting() == 2 * SLICE + 1
    assert world.outbox() == [("task", task, "registered", None), ("task", task, "ready", None)]


def test_the_first_slice_of_a_big_array_can_be_leased_before_the_last_one_is_made(world: World) -> None:
    pilot = world.pilot()
    task = world.submit(over=array(SLICE + 1))
    attempt = world.grant(pilot)
    assert attempt == f"{task}.0/1"
    world.report(pilot, attempt)
    world.work()
    assert world.jobs(task) == {"activated": SLICE, "finished": 1}


def test_slices_of_several_tasks_take_turns(world: World) -> None:
    first, second = world.submit(over=array(3 * SLICE)), world.submit(over=array(2 * SLICE))
    assert world.slice() == 2
    assert (world.task(first).made, world.task(second).made) == (2 * SLICE, 2 * SLICE)


def test_a_million_seeds_cost_one_slice_to_accept(world: World) -> None:
    with world.statements() as seen:
        task = world.submit(over=Seeds(1_000_000))
    assert world.task(task).n_jobs == 1_000_000
    assert world.task(task).made == SLICE
    assert len(seen) < 20


def test_jobs_of_the_same_needs_wait_in_one_bucket_whatever_their_task(world: World) -> None:
    world.submit_needing(memory_mib=1500)
    world.submit_needing(memory_mib=1500)
    world.submit_needing(memory_mib=1600)
    world.submit_needing(memory_mib=1500, owner="bob")
    counts = sorted(row.waiting for row in world.rows("SELECT waiting FROM buckets"))
    assert counts == [1, 1, 2]


def test_labels_become_rows_to_search_by(world: World) -> None:
    task = world.submit(labels={"campaign": "limits", "step": "toys"})
    rows = world.rows("SELECT key, value FROM task_labels WHERE task_id = :task ORDER BY key", task=task)
    assert [tuple(row) for row in rows] == [("campaign", "limits"), ("step", "toys")]


@pytest.mark.parametrize("owner", ["ada", "bob"])
def test_waiting_for_a_task_that_is_not_there_or_not_yours_is_refused(world: World, owner: str) -> None:
    upstream = world.submit("ada")
    other = upstream if owner == "bob" else upstream + 1
    with pytest.raises(Invalid, match=f"there is no task {other} of yours"):
        world.submit(owner, after=[other])
    assert world.rows("SELECT id FROM tasks WHERE id <> :id", id=upstream) == []


def test_waiting_for_a_task_of_ones_group_is_fine(world: World) -> None:
    upstream = world.submit("ada", groups=["rubin"], group="rubin")
    waiter = world.submit("bob", groups=["rubin"], after=[upstream])
    assert world.task(waiter).waits == 1


def test_waiting_for_a_task_that_failed_is_refused_with_what_to_do(world: World) -> None:
    pilot, upstream = world.pilot(), world.submit()
    world.report(pilot, world.grant(pilot), "failed", fault="exit")
    with pytest.raises(Invalid, match=f"ended failed.*jobctl retry {upstream}"):
        world.submit(after=[upstream])


def test_the_outputs_of_somebody_elses_task_are_no_input(world: World) -> None:
    """What an attempt lists as inputs its pilot may read, so it must be the owner's to read."""
    secret = world.submit("ada")
    with pytest.raises(Invalid, match="there is no task"):
        world.submit("bob", inputs=[FileIn(f"task:{secret}")])
    with pytest.raises(Invalid, match="there is no task"):
        world.submit("bob", inputs=[FileIn(f"task:{secret}/result.json")])
    world.submit("ada", inputs=[FileIn(f"task:{secret}/result.json")])


def test_a_refused_task_leaves_nothing_behind(world: World) -> None:
    with pytest.raises(Invalid):
        world.submit(after=[999], labels={"a": "b"})
    for table in ("tasks", "jobs", "buckets", "task_labels", "edges", "outbox"):
        assert world.row(f"SELECT count(*) AS n FROM {table}").n == 0
