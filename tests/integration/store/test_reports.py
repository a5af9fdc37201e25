"""Reports: the word of the pilot that holds the attempt counts once, and nobody else's does."""

import pytest

from barnstorm.model.pilots import OutputFile, Report
from barnstorm_server.commands.tokens import RecordBlob

from .world import World, array

DIGEST = "ab" * 32
MISSING = "cd" * 32


def bring(world: World, owner: str = "ada", digest: str = DIGEST) -> None:
    """What an upload leaves behind in the store."""
    world.do(RecordBlob(digest, owner, 3))


def test_a_success_ends_attempt_job_and_task(world: World) -> None:
    pilot, task = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.later(60)
    told = Report(
        attempt,
        "succeeded",
        exit_code=0,
        started_ago_s=50,
        ended_ago_s=10,
        result="MTI=",
        metrics={"Max": {"pss": 2048, "utime": 30, "stime": 2}},
    )
    assert world.lease(pilot, 0, reports=[told]).results[0].status == "accepted"
    job, row = world.job(attempt), world.attempt(attempt)
    assert (job.state, job.exit_code, job.result, job.peak_mib, job.cpu_s) == ("finished", 0, "MTI=", 2, 32)
    assert (job.started_at, job.ended_at) == (world.now - 50, world.now - 10)
    assert (row.state, row.started_at, row.ended_at) == ("succeeded", world.now - 50, world.now - 10)
    assert world.task(task).state == "finished"
    assert world.waiting() == 0


def test_reports_and_the_next_grant_travel_in_one_call(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(3))
    done = world.grants(pilot, 2)
    answer = world.lease(pilot, reports=[Report(attempt, "succeeded") for attempt in done])
    assert [result.status for result in answer.results] == ["accepted", "accepted"]
    assert [result.attempt for result in answer.results] == done
    assert [grant.attempt for grant in answer.grants] == [f"{task}.2/1"]


def test_an_accepted_report_may_be_repeated(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    assert world.report(pilot, attempt, exit_code=0).status == "accepted"
    messages = world.outbox()
    assert world.report(pilot, attempt, exit_code=0).status == "repeated"
    assert world.outbox() == messages


def test_a_repeat_in_the_same_call_is_one_too(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    told = Report(world.grant(pilot), "succeeded")
    assert [one.status for one in world.lease(pilot, 0, reports=[told, told]).results] == ["accepted", "repeated"]


def test_another_word_on_an_attempt_that_has_ended_is_stale(world: World) -> None:
    pilot, _ = world.pilot(), world.submit()
    attempt = world.grant(pilot)
    world.report(pilot, attempt, "failed", fault="exit", exit_code=1)
    result = world.report(pilot, attempt, "succeeded")
    assert (result.status, result.why) == ("stale", "it ended before, as failed")
    assert world.job(attempt).state == "failed"


def test_another_pilots_report_is_stale(world: World) -> None:
    pilot, other, _ = world.pilot(), world.pilot(), world.submit()
    attempt = world.grant(pilot)
    result = world.report(other, attempt)
    assert (result.status, result.why) == ("stale", f"it was leased by pilot p{pilot}")
    assert world.job(attempt).state == "sent"
    assert world.report(pilot, attempt).status == "accepted"


@pytest.mark.parametrize("name", ["1.0/2", "99.0/1", "1.7/1", "no id", "1.0", "", "9" * 50])
def test_a_report_on_what_is_not_there_is_stale(world: World, name: str) -> None:
    pilot, _ = world.pilot(), world.submit()
    world.grant(pilot)
    assert world.report(pilot, name).status == "stale"


def test_a_bad_report_does_not_hurt_the_good_ones_beside_it(world: World) -> None:
    pilot, task = world.pilot(), world.submit(over=array(3))
    held = world.grants(pilot, 3)
    reports = [Report(held[0], "succeeded"), Report("1.9/9", "succeeded"), Report(held[2], "failed", fault="exit")]
    assert [one.status for one in world.lease(pilot, 0, reports=reports).results] == ["accepted", "stale", "accepted"]
    assert world.jobs(task) == {"finished": 1, "sent": 1, "failed": 1}


def test_the_report_of_a_pilot_that_was_lost_is_stale(world: World) -> None:
    first, second, _ = world.pilot(), world.pilot(), world.submit()
    attempt = world.grant(first)
    world.beat(first, state="running")
    world.later(20)
    world.beat(first)
    world.later(20)
    world.beat(first)  # twice without naming it
    assert world.attempt(attempt).state == "lost"
    again = world.grant(second)
    result = world.report(first, attempt)
    assert (result.status, result.why) == ("stale", "it ended before, as lost")
    assert world.job(again).state == "sent"


class TestOutputs:
    """They become visible by the fenced report, and only by it."""

    def test_outputs_are_rows_once_the_report_is_accepted(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        bring(world)
        assert world.rows("SELECT * FROM outputs") == []
        world.report(pilot, attempt, outputs=[OutputFile("limit.json", DIGEST, 3)])
        row = world.row("SELECT * FROM outputs")
        assert tuple(row) == (task, 0, "limit.json", DIGEST, 3)

    @pytest.mark.parametrize("state", ["failed", "cancelled", "returned"])
    def test_there_are_none_of_an_attempt_that_did_not_succeed(self, world: World, state: str) -> None:
        pilot, _ = world.pilot(), world.submit()
        bring(world)
        world.report(pilot, world.grant(pilot), state, outputs=[OutputFile("limit.json", DIGEST, 3)])
        assert world.rows("SELECT * FROM outputs") == []

    def test_there_are_none_of_a_stale_report(self, world: World) -> None:
        pilot, other, _ = world.pilot(), world.pilot(), world.submit()
        bring(world)
        world.report(other, world.grant(pilot), outputs=[OutputFile("limit.json", DIGEST, 3)])
        assert world.rows("SELECT * FROM outputs") == []

    def test_there_are_none_of_a_job_that_was_killed_meanwhile(self, world: World) -> None:
        pilot, task = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        bring(world)
        world.kill(str(task))
        assert world.report(pilot, attempt, outputs=[OutputFile("limit.json", DIGEST, 3)]).status == "accepted"
        assert world.rows("SELECT * FROM outputs") == []

    @pytest.mark.parametrize("owner", ["", "bob"])
    def test_an_output_whose_bytes_never_came_is_a_fault_of_the_site(self, world: World, owner: str) -> None:
        """The bytes must be the owner's: somebody else's upload of the same is not proof that this pilot had them."""
        pilot, _ = world.pilot(), world.submit()
        if owner:
            bring(world, owner, MISSING)
        attempt = world.grant(pilot)
        world.report(pilot, attempt, outputs=[OutputFile("limit.json", MISSING, 3)])
        job, row = world.job(attempt), world.attempt(attempt)
        assert (job.state, job.fault, job.spent) == ("activated", "stage_out", 0)
        assert (row.state, row.fault) == ("failed", "stage_out")
        assert "limit.json never arrived" in row.message

    def test_the_pilot_that_said_so_may_repeat_it(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit()
        told = Report(world.grant(pilot), "succeeded", outputs=[OutputFile("limit.json", MISSING, 3)])
        assert world.lease(pilot, 0, reports=[told]).results[0].status == "accepted"
        assert world.lease(pilot, 0, reports=[told]).results[0].status == "repeated"

    @pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", ""])
    def test_an_output_that_leads_out_of_the_work_directory_is_a_fault(self, world: World, name: str) -> None:
        """Its name is a path on the machine of who fetches it."""
        pilot, _ = world.pilot(), world.submit()
        bring(world)
        attempt = world.grant(pilot)
        world.report(pilot, attempt, outputs=[OutputFile(name, DIGEST, 3)])
        assert (world.job(attempt).state, world.job(attempt).fault) == ("failed", "output_bad")
        assert world.rows("SELECT * FROM outputs") == []


class TestOddReports:
    """What a pilot tells may be odd; it is taken as far as it makes sense, and stops nothing."""

    @pytest.mark.parametrize(
        "metrics",
        [
            {"Max": {"pss": "many"}},
            {"Max": None},
            {"Max": {"pss": -5, "utime": 1e300}},
            {"Max": {"pss": True}},
            {"Max": {"pss": 10**399}},
            {"deep": {"er": [1, {"x": None}]}},
        ],
    )
    def test_odd_metrics_are_kept_but_not_counted(self, world: World, metrics: dict[str, object]) -> None:
        pilot, _ = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        assert world.report(pilot, attempt, metrics=metrics).status == "accepted"
        assert world.job(attempt).state == "finished"

    def test_an_end_before_its_start_is_put_right(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        world.later(100)
        world.report(pilot, attempt, started_ago_s=10, ended_ago_s=50)
        job = world.job(attempt)
        assert job.started_at <= job.ended_at

    def test_an_unknown_fault_is_taken_as_the_payloads_own(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        world.report(pilot, attempt, "failed", fault="gremlins")
        assert (world.job(attempt).state, world.job(attempt).fault) == ("failed", "gremlins")

    def test_the_longest_texts_are_kept(self, world: World) -> None:
        pilot, _ = world.pilot(), world.submit()
        attempt = world.grant(pilot)
        world.report(pilot, attempt, "failed", fault="f" * 32, message="m" * 2000)
        assert world.job(attempt).message == "m" * 2000
