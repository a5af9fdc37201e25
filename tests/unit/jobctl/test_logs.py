"""Logs: byte for byte, from their end, and as they grow."""

import threading
import time
from typing import Any

import pytest

from .conftest import Run
from .fake import Fake, job_view, task_view


def attempt(number: int, stdout: bytes = b"", stderr: bytes = b"") -> dict[str, Any]:
    return {"number": number, "attempt": f"1.0/{number}", "stdout_bytes": len(stdout), "stderr_bytes": len(stderr)}


DATA = b"one\ntwo \xff\x00\nthree\nfour\n"


@pytest.fixture
def ended(fake: Fake) -> Fake:
    fake.tasks[1] = task_view(1)
    fake.jobs["1.0"] = job_view(
        1, 0, state="finished", attempts=2, attempt_list=[attempt(1, b"first\n"), attempt(2, DATA)]
    )
    fake.logs["1.0", 1, "stdout"] = b"first\n"
    fake.logs["1.0", 2, "stdout"] = DATA
    fake.logs["1.0", 2, "stderr"] = b"bad\n"
    return fake


@pytest.mark.parametrize(
    ("words", "data"),
    [
        ("1.0", DATA),
        ("1", DATA),
        ("1.0 -f", DATA),
        ("1.0 --stderr", b"bad\n"),
        ("1.0 --attempt 1", b"first\n"),
        ("1.0/1", b"first\n"),
        ("1.0 --tail 1", b"four\n"),
        ("1.0 --tail 3", b"two \xff\x00\nthree\nfour\n"),
        ("1.0 --tail 9", DATA),
        ("1.0 --tail 0", b""),
        ("1.0 -f --tail 2", b"three\nfour\n"),
    ],
)
def test_bytes(jobctl: Run, ended: Fake, words: str, data: bytes) -> None:
    done = jobctl("logs", *words.split())
    assert done.exit_code == 0, done.output
    assert done.stdout_bytes == data


def test_tail_over_many_pieces(jobctl: Run, ended: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barnstorm.jobctl.logtail.TAIL_PIECE", 3)
    lines = DATA.splitlines(keepends=True)
    for count in range(1, 6):
        assert jobctl("logs", "1.0", "--tail", count).stdout_bytes == b"".join(lines[-count:])


def test_an_array_needs_a_job(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1, jobs=2)
    for index in range(2):
        fake.jobs[f"1.{index}"] = job_view(1, index, state="finished")
        fake.logs[f"1.{index}", 1, "stdout"] = b"%d\n" % index
    done = jobctl("logs", "1")
    assert done.exit_code == 2
    assert "task 1 has 2 jobs; say which one" in done.output
    assert jobctl("logs", "1", "--all").output == "==> 1.0 <==\n0\n==> 1.1 <==\n1\n"


def test_why_there_is_nothing(jobctl: Run, fake: Fake) -> None:
    fake.jobs["1.0"] = job_view(1, 0, state="activated", attempts=0)
    assert jobctl("logs", "1.0").output == "1.0 has not started: jobctl explain 1.0\n"
    fake.jobs["1.0"] = job_view(1, 0, state="finished", attempt_list=[attempt(1, stderr=b"x")])
    assert "jobctl logs 1.0 --stderr" in jobctl("logs", "1.0").output


def test_follow_over_a_retry(jobctl: Run, fake: Fake) -> None:
    """The job is not there yet, runs, fails, is tried again, ends: each byte once."""
    fake.jobs["1.0"] = job = job_view(1, 0, state="activated", attempts=0)

    def live() -> None:
        time.sleep(0.1)
        fake.logs["1.0", 1, "stdout"] = b"a\n"
        job.update(attempts=1, attempt_list=[attempt(1)], state="running")
        time.sleep(0.1)
        fake.logs["1.0", 1, "stdout"] += b"b\n"
        time.sleep(0.1)
        fake.logs["1.0", 2, "stdout"] = b"c\n"
        job.update(attempts=2, attempt_list=[attempt(1), attempt(2)])
        time.sleep(0.1)
        fake.logs["1.0", 2, "stdout"] += b"d\n"
        job.update(state="finished")

    thread = threading.Thread(target=live)
    thread.start()
    done = jobctl("logs", "-f", "1.0")
    thread.join()
    assert done.exit_code == 0
    assert done.stdout == "a\nb\nc\nd\n"
    assert "-- 1.0/2 --" in done.stderr
