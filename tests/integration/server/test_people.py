"""What users and operators do, end to end over HTTP: submit, look, kill, retry, ask why; and a harvester's day."""

from typing import Any

import pytest
from tests.waiting import wait_for

from barnstorm.api.errors import ApiError, Denied, NotFound, Stale
from barnstorm.model.collection import Rows, Seeds
from barnstorm.model.payload import CommandPayload
from barnstorm.model.pilots import CheckResult, PilotHello
from barnstorm.model.shape import Needs, Shape
from barnstorm.model.workers import Decision, HarvesterHello, WorkerPlan, WorkerReport, WorkersPlanned
from barnstorm_server.commands.submit import SLICE

from .cast import Cast, FakePilot, array


class TestTasks:
    def test_a_task_comes_back_as_it_was_submitted(self, cast: Cast) -> None:
        spec = cast.spec(
            payload=CommandPayload(["python3", "toy.py", "--mu", "{mu}"]),
            name="toys",
            over=Rows(["mu"], [[0.5], [1.0]]),
            env={"A": "b"},
            labels={"campaign": cast.name},
            group=cast.group,
            retries=2,
            priority=7,
        )
        view = cast.ada.submit(spec)
        assert cast.ada.task(view["id"]) == view
        assert (view["name"], view["jobs"], view["group"], view["share"]) == ("toys", 2, cast.group, cast.group)
        assert view["spec"]["over"] == {"kind": "rows", "columns": ["mu"], "rows": [[0.5], [1.0]]}
        assert [job["values"] for job in cast.ada.jobs(view["id"])] == [{"mu": 0.5}, {"mu": 1.0}]
        assert [task["id"] for task in cast.ada.tasks(label=f"campaign={cast.name}")] == [view["id"]]

    def test_the_same_key_gets_the_first_answer(self, cast: Cast) -> None:
        first = cast.ada.submit(cast.spec(over=array(3)), "key")
        assert cast.ada.submit(cast.spec(over=array(3)), "key")["id"] == first["id"]
        assert len(list(cast.ada.tasks())) == 1

    def test_a_big_array_is_made_in_slices_and_all_of_it_can_run(self, cast: Cast) -> None:
        task = cast.submit(over=Seeds(2 * SLICE + 7))
        wait_for(lambda: cast.ada.task(task)["state"] == "ready", "all jobs to be made")
        assert cast.ada.task(task)["counts"] == {"activated": 2 * SLICE + 7}
        assert sum(1 for _ in cast.ada.jobs(task)) == 2 * SLICE + 7
        assert cast.ada.kill([str(task)])["killed"] == 2 * SLICE + 7
        wait_for(lambda: cast.ada.task(task)["state"] == "cancelled", "all jobs to be ended")
        assert cast.ada.task(task)["counts"] == {"cancelled": 2 * SLICE + 7}

    def test_dependencies_run_in_turn(self, cast: Cast) -> None:
        pilot = cast.pilot()
        toys = cast.submit(over=array(3))
        merge = cast.submit(after=[toys])
        assert cast.ada.task(merge)["waits_for"] == [toys]
        for attempt in [grant.attempt for grant in pilot.lease(8).grants]:
            assert attempt.startswith(f"{toys}.")
            pilot.report(attempt)
        (last,) = pilot.lease(8, wait_s=30).grants
        assert last.attempt == f"{merge}.0/1"
        pilot.report(last.attempt)
        assert cast.ada.task(merge)["state"] == "finished"

    def test_the_failure_of_an_upstream_task_closes_what_waits(self, cast: Cast) -> None:
        pilot = cast.pilot()
        toys = cast.submit()
        merge = cast.submit(after=[toys], over=array(2))
        pilot.report(pilot.grant(), "failed", fault="exit", exit_code=1)
        wait_for(lambda: cast.ada.task(merge)["state"] == "failed", "the waiting task to be closed")
        assert cast.ada.task(merge)["counts"] == {"closed": 2}
        assert cast.ada.explain("jobs", f"{merge}.0")["head"] == f"CLOSED: task {toys} ended failed."

    def test_lists_go_page_by_page(self, cast: Cast) -> None:
        made = [cast.submit() for _ in range(5)]
        first = cast.server.ask("GET", "/v1/tasks?limit=2", cast.ada_token).json
        assert [task["id"] for task in first["items"]] == made[:2:-1]
        found, cursor = [], ""
        while cursor is not None:
            page = cast.server.ask("GET", f"/v1/tasks?limit=2{cursor and '&cursor=' + cursor}", cast.ada_token).json
            found += [task["id"] for task in page["items"]]
            cursor = page["next"]
        assert found == made[::-1]


class TestRetry:
    def failed(self, cast: Cast, **fields: Any) -> int:
        """A task of four jobs of which the second and the last failed."""
        pilot = cast.pilot()
        task = cast.submit(over=Rows(["n"], [[10], [11], [12], [13]]), **fields)
        for grant in pilot.lease(8).grants:
            ok = grant.values["n"] in (10, 12)
            pilot.report(grant.attempt, "succeeded" if ok else "failed", fault="" if ok else "exit")
        assert cast.ada.task(task)["state"] == "subfinished"
        return task

    def test_a_new_task_holds_the_jobs_that_failed(self, cast: Cast) -> None:
        task = self.failed(cast)
        again = cast.ada.retry(task)
        assert (again["retry_of"], again["jobs"]) == (task, 2)
        assert [job["values"] for job in cast.ada.jobs(again["id"])] == [{"n": 11}, {"n": 13}]
        assert cast.ada.task(task)["state"] == "subfinished"

    def test_the_named_jobs_may_be_run_again_too(self, cast: Cast) -> None:
        again = cast.ada.retry(self.failed(cast), "0-1")
        assert [job["values"] for job in cast.ada.jobs(again["id"])] == [{"n": 10}, {"n": 11}]

    def test_a_retry_of_a_retry_is_about_the_same_contents(self, cast: Cast) -> None:
        again = cast.ada.retry(self.failed(cast))
        pilot = cast.pilot()
        for grant in pilot.lease(8).grants:
            pilot.report(grant.attempt, "failed" if grant.values["n"] == 13 else "succeeded", fault="exit")
        third = cast.ada.retry(again["id"])
        assert [job["values"] for job in cast.ada.jobs(third["id"])] == [{"n": 13}]

    def test_the_same_key_makes_one_task(self, cast: Cast) -> None:
        task = self.failed(cast)
        assert cast.ada.retry(task, key="r")["id"] == cast.ada.retry(task, key="r")["id"]

    @pytest.mark.parametrize("jobs", ["4", "0-9", "x", "3-1", "", "0,0,0,0,0"])
    def test_jobs_that_are_not_there_are_refused(self, cast: Cast, jobs: str) -> None:
        with pytest.raises(ApiError) as caught:
            cast.ada.retry(self.failed(cast), jobs)
        assert (caught.value.status, caught.value.field) == (422, "jobs")

    def test_where_all_is_well_or_still_runs_there_is_nothing_to_retry(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        with pytest.raises(Stale, match="has not ended"):
            cast.ada.retry(task)
        pilot.report(pilot.grant())
        with pytest.raises(Stale, match="ended well"):
            cast.ada.retry(task)

    def test_a_task_without_a_collection_runs_again_whole(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        pilot.report(pilot.grant(), "failed", fault="exit")
        again = cast.ada.retry(task)
        assert pilot.grant() == f"{again['id']}.0/1"

    def test_an_operator_runs_anothers_task_again(self, cast: Cast) -> None:
        task = self.failed(cast)
        again = cast.admin.retry(task)
        assert again["retry_of"] == task
        cast.admin.kill([str(again["id"])])


class TestKill:
    def test_it_says_how_many_it_ended(self, cast: Cast) -> None:
        task, other = cast.submit(over=array(3)), cast.submit()
        assert cast.ada.kill([str(task), f"{other}.0"], "wrong input") == {"killed": 4, "already_ended": 0}
        assert cast.ada.kill([str(task), f"{other}.0"]) == {"killed": 0, "already_ended": 2}
        assert cast.ada.job(f"{task}.1")["reason"] == "wrong input"

    def test_more_than_a_thousand_at_once_are_refused(self, cast: Cast) -> None:
        with pytest.raises(ApiError, match="at most 1,000"):
            cast.ada.kill(["1"] * 1001)

    @pytest.mark.parametrize("name", ["x", "1.x", "0", "w1", ""])
    def test_what_is_no_id_is_refused(self, cast: Cast, name: str) -> None:
        with pytest.raises(ApiError) as caught:
            cast.ada.kill([name])
        assert (caught.value.status, caught.value.field) == (422, "ids")


class TestExplain:
    def test_a_waiting_job_is_told_with_each_queue_and_what_excludes_it(self, cast: Cast) -> None:
        other = cast.queue + "-small"
        cast.admin.apply_queue({"name": other, "accepts": {"tags": [cast.tag], "memory_mib": {"max": 1000}}})
        task = cast.submit(needs=Needs(memory_mib=4000))
        told = cast.ada.explain("jobs", f"{task}.0")
        queues = {one["queue"]: one for one in told["queues"]}
        assert queues[cast.queue]["fits"] is True
        assert (queues[other]["fits"], queues[other]["text"]) == (False, "memory_mib 4,000 > 1,000")
        assert told["head"].endswith(f"fits one queue, {cast.queue}: no harvester serves it, so no worker is started.")

    def test_a_running_and_an_ended_job_are_told(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        pilot.beat(attempt)
        assert cast.ada.explain("jobs", f"{task}.0")["head"].startswith("RUNNING 0 s, of 1 h, on n1 (")
        pilot.report(attempt, "failed", fault="exit", exit_code=3, message="no such file")
        told = cast.ada.explain("tasks", str(task))
        assert told["head"] == 'FAILED after 1 of 1 attempts: exit code 3, blamed on the payload. "no such file"'
        assert told["history"][0]["text"] == "accepted"

    def test_a_queue_tells_its_mark_and_that_nobody_serves_it(self, cast: Cast) -> None:
        cast.admin.mark(cast.queue, "draining", "downtime on Tuesday")
        head = cast.ada.explain("queues", cast.queue)["head"]
        assert head.startswith("DRAINING")
        assert "downtime on Tuesday" in head
        assert "No harvester serves it" in head

    def test_what_is_not_there_is_not_explained(self, cast: Cast) -> None:
        for noun, name in (("jobs", "999999.0"), ("tasks", "999999"), ("queues", "nowhere")):
            with pytest.raises(NotFound):
                cast.ada.explain(noun, name)


class TestQueues:
    def test_a_mark_changes_the_status_until_it_is_taken_off(self, cast: Cast) -> None:
        mark = cast.admin.mark(cast.queue, "draining", "downtime")
        assert cast.ada.queue(cast.queue)["status"] == "draining"
        cast.admin.mark(cast.queue, "offline")
        assert cast.ada.queue(cast.queue)["status"] == "offline"
        for one in cast.ada.queue(cast.queue)["marks"]:
            cast.admin.unmark(cast.queue, one["id"])
        assert cast.ada.queue(cast.queue)["status"] == "online"
        assert mark["status"] == "draining"

    def test_users_do_not_change_queues(self, cast: Cast) -> None:
        for call in (
            lambda: cast.ada.mark(cast.queue, "offline"),
            lambda: cast.ada.apply_queue({"name": cast.queue}),
            lambda: cast.ada.unmark(cast.queue, 1),
        ):
            with pytest.raises(Denied):
                call()

    def test_a_changed_description_counts_at_once(self, cast: Cast) -> None:
        pilot = cast.pilot()
        cast.submit(needs=Needs(cores=4))
        cast.admin.apply_queue({"name": cast.queue, "accepts": {"tags": [cast.tag], "cores": {"max": 2}}})
        assert pilot.lease().grants == []
        cast.admin.apply_queue({"name": cast.queue, "accepts": {"tags": [cast.tag]}})
        assert len(pilot.lease().grants) == 1

    def test_each_change_is_a_new_version(self, cast: Cast) -> None:
        before = cast.ada.queue(cast.queue)["version"]
        changed = cast.admin.apply_queue({"name": cast.queue, "note": "changed"})
        assert changed["version"] == before + 1
        assert cast.admin.apply_queue({"name": cast.queue, "note": "changed"})["version"] == before + 1


class TestAHarvestersDay:
    def test_from_demand_to_a_worker_whose_pilot_runs_the_job(self, cast: Cast) -> None:
        name = f"edge-{cast.name}"
        edge = cast.server.harvester(name, cast.queue)
        orders = edge.heartbeat(HarvesterHello(version="1", host="h", submitters=["local"]))
        assert [queue.name for queue in orders.queues] == [cast.queue]
        task = cast.submit(needs=Needs(cores=2))
        demand = wait_for(lambda: edge.demand(cast.queue).parts, "the demand")
        assert (demand[0].jobs, demand[0].shape.cores, demand[0].lane) == (1, 2, "all")
        plan = WorkersPlanned(name, [WorkerPlan("w1", "all", Shape(cores=2), "1 job waits")])
        (planned,) = edge.plan(cast.queue, plan)
        assert edge.plan(cast.queue, plan)[0].worker == planned.worker
        decisions = {cast.queue: [Decision("all", 1, "1 job waits", counts={"waiting": 1})]}
        edge.heartbeat(HarvesterHello(decisions=decisions))
        assert cast.ada.decisions(cast.queue)[0]["why"] == "1 job waits"
        edge.report([WorkerReport(planned.worker, "submitted", batch_id="4711")])
        shape = Shape(cores=2, memory_mib=4000)
        hello = PilotHello("k" + cast.name, cast.queue, shape, worker=planned.worker, node="n7")
        welcome = cast.server.pilot(planned.join_token).hello(hello)
        assert cast.server.pilot(planned.join_token).hello(hello).pilot == welcome.pilot
        worker = cast.ada.thing("workers", planned.worker)
        assert (worker["state"], worker["node"], worker["batch_id"]) == ("running", "n7", "4711")
        pilot = FakePilot(cast.server.pilot(welcome.token), welcome)
        attempt = pilot.grant()
        assert attempt == f"{task}.0/1"
        assert cast.ada.job(f"{task}.0")["attempt_list"][0]["worker"] == planned.worker
        pilot.report(attempt)
        (word,) = edge.report([WorkerReport(planned.worker, "finished", exit_code=0)])
        assert (word["status"], word["state"], word["pilot"]) == ("accepted", "finished", "idle")
        assert edge.workers() == []

    def test_a_person_ends_a_worker(self, cast: Cast) -> None:
        name = f"edge-{cast.name}"
        edge = cast.server.harvester(name, cast.queue)
        edge.heartbeat(HarvesterHello())
        (planned,) = edge.plan(cast.queue, WorkersPlanned(name, [WorkerPlan("w1", "all", Shape())]))
        assert cast.admin.kill_worker(planned.worker, "stuck")["kill"] == "stuck"
        assert edge.heartbeat(HarvesterHello()).kill == [planned.worker]

    def test_a_pilot_whose_node_failed_a_check_is_sent_away(self, cast: Cast) -> None:
        checks = [CheckResult("disk", False, "3 MiB free of 1,000"), CheckResult("clock", False, "off", required=False)]
        hello = PilotHello("k" + cast.name, cast.queue, Shape(), checks=checks)
        welcome = cast.server.pilot(cast.join()).hello(hello)
        assert "disk: 3 MiB free" in welcome.refused
        assert "clock" not in welcome.refused
        cast.submit()
        pilot = FakePilot(cast.server.pilot(welcome.token), welcome)
        answer = pilot.lease()
        assert (answer.grants, [command.verb for command in answer.commands]) == ([], ["exit"])


def test_who_asks_is_told_who_he_is(cast: Cast) -> None:
    me = cast.ada.whoami()
    assert (me["subject"], me["kind"], me["groups"]) == (f"ada-{cast.name}", "user", [cast.group])
    assert cast.ada.server()["name"] == "barnstorm"


def test_samples_of_running_jobs_are_shown_while_they_run(cast: Cast) -> None:
    pilot, task = cast.pilot(), cast.submit()
    attempt = pilot.grant()
    body = {"state": "busy", "held": [{"attempt": attempt, "state": "running", "sample": {"pss": 1234}}]}
    assert cast.server.ask("POST", f"/v1/pilots/{pilot.id}/heartbeat", pilot.token, body).status == 200
    assert cast.ada.job(f"{task}.0")["attempt_list"][0]["sample"] == {"pss": 1234}
    pilot.report(attempt)
    assert "sample" not in cast.ada.job(f"{task}.0")["attempt_list"][0]
