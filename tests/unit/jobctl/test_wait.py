"""Waiting by events; and the changes: kill, retry."""

import threading
import time

import pytest

from .conftest import Run
from .fake import Fake, job_view, task_view


def test_wait_hears_of_the_end(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1, counts={"activated": 1})
    fake.jobs["2.0"] = job_view(2, 0)

    def live() -> None:
        time.sleep(0.2)
        fake.tasks[1].update(state="finished", counts={"finished": 1})
        fake.jobs["2.0"].update(state="failed", word="failed", exit_code=3, message="exit 3")
        fake.events.set()

    threading.Thread(target=live).start()
    begun = time.monotonic()
    done = jobctl("wait", "1", "2.0", "--timeout", "30")
    assert time.monotonic() - begun < 5
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "task 1: finished · 1 finished\n2.0: failed (exit 3): exit 3\nwhy: jobctl explain 2.0\n" in done.stderr


def test_wait_names_the_first_jobs_that_failed(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1, jobs=5, state="failed", counts={"failed": 5})
    for index in range(5):
        fake.jobs[f"1.{index}"] = job_view(1, index, state="failed", word="failed", exit_code=2, message="no file x")
    done = jobctl("wait", "1")
    assert done.stderr == (
        "task 1: failed · 5 failed\n"
        "1.0: failed (exit 2): no file x\n1.1: failed (exit 2): no file x\n1.2: failed (exit 2): no file x\n"
        "why: jobctl explain 1\n"
    )


def test_wait_gives_up(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1)
    done = jobctl("wait", "1", "--timeout", "0.3s")
    assert done.exit_code == 6
    assert "error: 1 not ended after 1 s" in done.output


def test_wait_outlives_a_server_that_is_away(jobctl: Run, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barnstorm.sdk.waiting.RETRY_S", 0.05)
    fake.tasks[1] = task_view(1)
    fake.events.set()

    def live() -> None:
        time.sleep(0.15)
        for path in ("/v1/events", "/v1/tasks/1"):
            fake.answers["GET", path] = (502, b"<html>")
        time.sleep(0.3)
        fake.tasks[1].update(state="finished", counts={"finished": 1})
        fake.answers.clear()

    threading.Thread(target=live).start()
    done = jobctl("wait", "1")
    assert done.exit_code == 0
    assert "the server does not answer; trying on" in done.stderr


def test_submit_and_wait(jobctl: Run, fake: Fake) -> None:
    threading.Timer(
        0.2, lambda: (fake.tasks[1].update(state="failed", counts={"failed": 1}), fake.events.set())
    ).start()
    done = jobctl("submit", "--wait", "-o", "ids", "--", "false")
    assert (done.exit_code, done.stdout) == (1, "1\n")


def test_wrong_id(jobctl: Run, fake: Fake) -> None:
    done = jobctl("wait", "48213-7")
    assert (done.exit_code, done.output) == (2, "error: '48213-7' is not a task id; one looks like 48213\n")


def test_kill(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1, jobs=500, counts={"activated": 400, "finished": 100})
    refused = jobctl("kill", "1")
    assert refused.exit_code == 2
    assert "this would end 400 jobs; say -y" in refused.output
    assert fake.bodies("POST", "/v1/kill") == []
    done = jobctl("kill", "1", "1.7", "--reason", "why", "-y")
    assert (done.exit_code, done.output) == (0, "2 jobs ended\n")
    assert fake.bodies("POST", "/v1/kill") == [{"ids": ["1", "1.7"], "reason": "why"}]


def test_kill_by_selection(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1)
    fake.tasks[2] = task_view(2, state="finished", counts={"finished": 1})
    assert jobctl("kill").exit_code == 2
    assert jobctl("kill", "1", "--user", "me").exit_code == 2
    dry = jobctl("kill", "--user", "me", "-l", "a=b", "--dry-run")
    assert dry.stdout == "1\n"
    assert fake.bodies("POST", "/v1/kill") == []
    assert jobctl("kill", "--user", "me").exit_code == 0
    assert fake.bodies("POST", "/v1/kill") == [{"ids": ["1"], "reason": ""}]


def test_retry(jobctl: Run, fake: Fake) -> None:
    assert jobctl("retry", "1").output == "task 1: 2 jobs accepted\n"
    assert jobctl("retry", "1.7", "1.8", "1.3", "-o", "ids").output == "2\n"
    assert [body["jobs"] for body in fake.bodies("POST", "/v1/tasks/1/retry")] == [None, "3,7-8"]
