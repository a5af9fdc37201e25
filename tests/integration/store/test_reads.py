"""Lists and views: pages without gaps or repeats, only what the asker may see, the same on both engines."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from barnstorm.model.collection import Rows
from barnstorm.model.ids import AttemptId, JobId, parse_attempt
from barnstorm.model.pilots import OutputFile
from barnstorm_server.commands.tokens import NewToken, RecordBlob, RecordTokens
from barnstorm_server.store import explain_facts
from barnstorm_server.store.errors import Invalid, NotFound
from barnstorm_server.store.read_fleet import queue_view, thing, things
from barnstorm_server.store.read_jobs import (
    JobFilter,
    attempt_row,
    blob_is_output,
    failed_indices,
    has_blob,
    job_page,
    job_view,
    output_page,
)
from barnstorm_server.store.read_tasks import Asker, TaskFilter, task_page, task_view

from .world import World, array

EVERYONE = Asker(None)
ADA, BOB = Asker("ada"), Asker("bob")
DIGEST = "ab" * 32


def pages(read: Callable[[str | None], tuple[list[dict[str, Any]], str | None]]) -> Iterator[dict[str, Any]]:
    """All items of a list, page by page."""
    cursor: str | None = None
    for _ in range(100):
        items, cursor = read(cursor)
        yield from items
        if cursor is None:
            return
    raise AssertionError("the list does not end")


class TestTasks:
    def test_pages_are_newest_first_without_gaps_or_repeats(self, world: World) -> None:
        made = [world.submit() for _ in range(7)]
        with world.reading() as connection:
            found = pages(lambda cursor: task_page(connection, TaskFilter(), EVERYONE, cursor, 3))
            assert [view["id"] for view in found] == made[::-1]

    def test_each_sees_his_own_and_his_groups(self, world: World) -> None:
        mine, theirs = world.submit("ada"), world.submit("bob")
        ours = world.submit("bob", groups=["rubin"], group="rubin")
        with world.reading() as connection:

            def seen(asker: Asker) -> set[int]:
                return {view["id"] for view in task_page(connection, TaskFilter(), asker, None, 100)[0]}

            assert seen(ADA) == {mine}
            assert seen(Asker("ada", ("rubin", "lz"))) == {mine, ours}
            assert seen(BOB) == {theirs, ours}
            assert seen(EVERYONE) == {mine, theirs, ours}
            with pytest.raises(NotFound):
                task_view(connection, theirs, ADA)

    def test_filters_narrow_the_list(self, world: World) -> None:
        toys = world.submit(name="toys", labels={"campaign": "limits", "n": "1"})
        world.submit(name="toys", labels={"campaign": "limits"})
        dead = world.submit("bob", name="other")
        world.kill(str(dead), owner=None)
        with world.reading() as connection:

            def found(**wanted: Any) -> list[int]:
                return [view["id"] for view in task_page(connection, TaskFilter(**wanted), EVERYONE, None, 100)[0]]

            assert found(labels={"campaign": "limits", "n": "1"}) == [toys]
            assert found(states=("cancelled",)) == [dead]
            assert found(states=("cancelled", "ready"), owner="bob") == [dead]
            assert len(found(name="toys")) == 2
            assert found(name="toys", owner="bob") == []

    def test_counts_add_up_in_each_state(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(6))
        held = world.grants(pilot, 3)
        world.beat(pilot, held[0])
        world.report(pilot, held[1])
        world.kill(f"{task}.5")
        with world.reading() as connection:
            view = task_view(connection, task, ADA)
        assert view["counts"] == {"finished": 1, "cancelled": 1, "running": 1, "sent": 1, "activated": 2}
        assert sum(view["counts"].values()) == view["jobs"] == 6

    def test_what_it_waits_for_is_told_as_long_as_it_waits(self, world: World) -> None:
        pilot, first = world.pilot(), world.submit()
        merge = world.submit(after=[first])
        with world.reading() as connection:
            assert task_view(connection, merge, ADA)["waits_for"] == [first]
            assert task_view(connection, merge, ADA)["counts"] == {"defined": 1}
        world.report(pilot, world.grant(pilot))
        with world.reading() as connection:
            assert task_view(connection, merge, ADA)["waits_for"] == []

    @pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "²", "١", "", " 1", "9" * 30, "1;DROP TABLE tasks"])
    def test_a_cursor_of_another_making_is_refused(self, world: World, cursor: str) -> None:
        with world.reading() as connection, pytest.raises(Invalid, match="cursor"):
            task_page(connection, TaskFilter(), EVERYONE, cursor, 10)


class TestJobs:
    def test_pages_of_one_task_go_by_index(self, world: World) -> None:
        task = world.submit(over=array(25))
        with world.reading() as connection:
            wanted = JobFilter(task)
            found = pages(lambda cursor: job_page(connection, world.tasks, wanted, ADA, cursor, 10))
            assert [view["index"] for view in found] == list(range(25))

    def test_pages_of_all_tasks_go_newest_task_first(self, world: World) -> None:
        first, second = world.submit(over=array(3)), world.submit(over=array(3))
        with world.reading() as connection:
            found = pages(lambda cursor: job_page(connection, world.tasks, JobFilter(), ADA, cursor, 2))
            assert [view["id"] for view in found] == [f"{task}.{n}" for task in (second, first) for n in range(3)]

    def test_filters_and_rights_narrow_the_list(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(3))
        attempt = world.grant(pilot)
        other = world.submit("bob")
        with world.reading() as connection:

            def found(asker: Asker, **wanted: Any) -> list[str]:
                page = job_page(connection, world.tasks, JobFilter(**wanted), asker, None, 100)
                return [view["id"] for view in page[0]]

            assert found(ADA, states=("sent",)) == [attempt.partition("/")[0]]
            assert found(ADA, queue="q") == [f"{task}.0"]
            assert found(EVERYONE, owner="bob") == [f"{other}.0"]
            assert found(BOB) == [f"{other}.0"]
            assert found(BOB, task=task) == []

    def test_a_view_tells_the_attempts_and_the_values(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=Rows(["mu"], [[0.5], [1.0]]), retries=1, name="toys")
        world.report(pilot, world.grant(pilot), "failed", fault="exit", exit_code=3, message="no")
        held = world.grants(pilot, 2)
        world.do(RecordBlob(DIGEST, "ada", 3))
        world.report(pilot, held[0], outputs=[OutputFile("out/limit.json", DIGEST, 3)])
        with world.reading() as connection:
            view = job_view(connection, world.tasks, JobId(task, 0), ADA)
        assert (view["id"], view["name"], view["state"], view["word"]) == (f"{task}.0", "toys", "finished", "finished")
        assert (view["values"], view["attempts"]) == ({"mu": 0.5}, 2)
        assert [(one["number"], one["state"], one["exit_code"]) for one in view["attempt_list"]] == [
            (1, "failed", 3),
            (2, "succeeded", None),
        ]
        assert view["outputs"] == [{"name": "out/limit.json", "blob": DIGEST, "size": 3}]
        assert (view["queue"], view["node"], view["pilot"]) == ("q", "n1", f"p{pilot}")

    def test_a_job_that_waits_again_is_nowhere(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit()
        world.grant(pilot)
        world.lose(pilot)
        with world.reading() as connection:
            view = job_view(connection, world.tasks, JobId(task, 0), ADA)
        assert (view["word"], view["queue"], view["node"], view["pilot"]) == ("waiting", None, None, None)

    @pytest.mark.parametrize("cursor", ["x", "1", "1.", "1.1.1", "0.1", "1.99999999999", "²", "9" * 30 + ".1"])
    def test_a_cursor_of_another_making_is_refused(self, world: World, cursor: str) -> None:
        with world.reading() as connection, pytest.raises(Invalid, match="cursor"):
            job_page(connection, world.tasks, JobFilter(), EVERYONE, cursor, 10)

    def test_what_is_not_there_or_not_yours_is_not_found(self, world: World) -> None:
        task = world.submit("bob")
        with world.reading() as connection:
            for job in (JobId(task, 0), JobId(task, 1), JobId(task + 1, 0), JobId(2**62, 9_999_999_999)):
                with pytest.raises(NotFound):
                    job_view(connection, world.tasks, job, ADA)

    def test_the_jobs_to_run_again_are_those_that_did_not_end_well(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(4))
        held = world.grants(pilot, 3)
        for attempt, state in zip(held, ("succeeded", "failed", "cancelled"), strict=True):
            world.report(pilot, attempt, state)
        world.kill(f"{task}.3")
        with world.reading() as connection:
            assert failed_indices(connection, task) == [1, 2, 3]


class TestOutputs:
    def test_pages_go_by_index_and_name(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit(over=array(3))
        world.do(RecordBlob(DIGEST, "ada", 3))
        for attempt in world.grants(pilot, 3):
            world.report(pilot, attempt, outputs=[OutputFile(name, DIGEST, 3) for name in ("b/x", "a", "c/0.y")])
        with world.reading() as connection:
            found = list(pages(lambda cursor: output_page(connection, task, None, None, cursor, 2)))
            assert [(one["index"], one["name"]) for one in found] == [
                (index, name) for index in range(3) for name in ("a", "b/x", "c/0.y")
            ]
            assert [one["index"] for one in output_page(connection, task, "a", None, None, 10)[0]] == [0, 1, 2]
            assert [one["name"] for one in output_page(connection, task, None, 1, None, 10)[0]] == ["a", "b/x", "c/0.y"]
            assert blob_is_output(connection, DIGEST, [task])
            assert not blob_is_output(connection, DIGEST, [task + 1])
            assert has_blob(connection, DIGEST, "ada")
            assert not has_blob(connection, DIGEST, "bob")

    @pytest.mark.parametrize("cursor", ["x", "/", "a/b", "²/x", "9" * 30 + "/x"])
    def test_a_cursor_of_another_making_is_refused(self, world: World, cursor: str) -> None:
        with world.reading() as connection, pytest.raises(Invalid, match="cursor"):
            output_page(connection, 1, None, None, cursor, 10)


class TestFleet:
    def test_pilots_are_listed_newest_first(self, world: World) -> None:
        made = [world.pilot() for _ in range(5)]
        world.lose(made[2])
        with world.reading() as connection:

            def found(**wanted: str) -> list[str]:
                return [one["id"] for one in pages(lambda cursor: things(connection, "pilot", wanted, cursor, 2))]

            assert found() == [f"p{pilot}" for pilot in made[::-1]]
            assert found(state="lost") == [f"p{made[2]}"]
            assert found(state="live", queue="q") == [f"p{pilot}" for pilot in made[::-1] if pilot != made[2]]
            assert thing(connection, "pilot", made[0])["queue"] == "q"
            with pytest.raises(NotFound, match="p4711"):
                thing(connection, "pilot", 4711)

    def test_tokens_are_listed_without_the_tokens_themselves(self, world: World) -> None:
        world.do(RecordTokens("op", [NewToken("j1", "user", "ada", 1.0), NewToken("j2", "user", "bob", 1.0)]))
        with world.reading() as connection:
            items = things(connection, "token", {"subject": "ada"}, None, 10)[0]
        assert [one["jti"] for one in items] == ["j1"]
        assert not any("token" in name for name in items[0])

    @pytest.mark.parametrize("cursor", ["x", "²", "-1", "9" * 30])
    def test_a_cursor_of_another_making_is_refused(self, world: World, cursor: str) -> None:
        with world.reading() as connection, pytest.raises(Invalid, match="cursor"):
            things(connection, "worker", {}, cursor, 10)

    def test_a_queue_tells_what_runs_in_it(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit(over=array(3))
        held = world.grants(pilot, 2)
        world.beat(pilot, held[0])
        with world.reading() as connection:
            view = queue_view(connection, world.catalog.queues["q"], world.now)
        assert view["jobs"] == {"waiting": 0, "leased": 1, "running": 1}  # brokerage has not yet looked
        assert (view["status"], view["harvester"], view["workers"]) == ("online", None, {})


def test_explanations_know_whose_turn_it_is(world: World) -> None:
    world.pilot()
    first, second = world.submit(over=array(3)), world.submit(over=array(3))
    with world.reading() as connection:
        assert explain_facts.turn(connection, JobId(first, 0)) == (0, 6)
        assert explain_facts.turn(connection, JobId(second, 1)) == (4, 6)
        assert explain_facts.turn(connection, JobId(second, 99)) == (0, 0)
        assert explain_facts.telling_job(connection, first) == 0


def test_the_holder_of_an_attempt_is_known(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    with world.reading() as connection:
        assert attempt_row(connection, parse_attempt(attempt)).pilot_id == pilot
        with pytest.raises(NotFound):
            attempt_row(connection, AttemptId(1, 0, 9))
