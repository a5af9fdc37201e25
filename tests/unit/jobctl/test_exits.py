"""Exit codes, and errors as sentences."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run
from .fake import Fake, task_view


def test_codes(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1, state="finished", counts={"finished": 1})
    fake.tasks[2] = task_view(2, state="failed", counts={"failed": 1}, reason="exit 1")
    assert jobctl("wait", "1").exit_code == 0
    assert jobctl("wait", "1", "2").exit_code == 1
    assert jobctl("show", "1", "--colour").exit_code == 2
    assert jobctl("show", "9").exit_code == 3
    fake.answers["GET", "/v1/tasks"] = (403, {"error": {"code": "denied", "message": "not for you"}})
    assert jobctl("ls").exit_code == 4
    assert jobctl("show", "9").output == "error: there is no task 9\n"


def test_unreachable(jobctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARNSTORM_SERVER", "http://127.0.0.1:9")
    done = jobctl("ls")
    assert done.exit_code == 5
    assert done.output.startswith("error: the server cannot be reached: http://127.0.0.1:9 (context environment): ")


@pytest.mark.parametrize(("status", "code"), [(409, 2), (413, 2), (422, 2), (500, 5)])
def test_statuses(jobctl: Run, fake: Fake, status: int, code: int) -> None:
    fake.answers["GET", "/v1/tasks/1"] = (status, {"error": {"code": "x", "message": "words", "field": "f"}})
    done = jobctl("show", "1")
    assert (done.exit_code, done.output) == (code, "error: f: words\n")


def test_busy_is_waited_for(jobctl: Run, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        del fake.answers["GET", "/v1/tasks/1"]

    fake.tasks[1] = task_view(1)
    fake.answers["GET", "/v1/tasks/1"] = (503, {"error": {"code": "busy", "message": "later"}})
    monkeypatch.setattr("barnstorm.jobctl.session.time.sleep", sleep)
    assert jobctl("show", "1").exit_code == 0
    assert pauses == [1.0]


def test_something_else_answers(jobctl: Run, fake: Fake) -> None:
    fake.answers["GET", "/v1/tasks/1"] = (200, b"<html>")
    assert jobctl("show", "1").exit_code == 5
    fake.answers["GET", "/v1/tasks/1"] = (404, b"<html>")
    assert jobctl("show", "1").exit_code == 5


def test_never_a_traceback(jobctl: Run, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers["GET", "/v1/tasks/1"] = (200, {"not": "a task"})
    done = jobctl("show", "1")
    assert done.exit_code == 70
    assert done.output.startswith("error: jobctl itself failed: KeyError: 'id'")
    assert "Traceback" not in done.output
    monkeypatch.setenv("BARNSTORM_DEBUG", "1")
    assert "Traceback" in jobctl("show", "1").output


def test_unknown_command(jobctl: Run) -> None:
    done = jobctl("sbmit")
    assert (done.exit_code, done.output) == (
        2,
        "error: there is no command 'sbmit'; did you mean 'submit'?\ntry: jobctl --help\n",
    )


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_closed_pipe_is_quiet(jobctl: Run, fake: Fake, url: str) -> None:
    for number in range(1, 3000):
        fake.tasks[number] = task_view(number)
    words = [sys.executable, "-m", "barnstorm.jobctl", "ls", "--limit", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (said, process.wait()) == (b"", 141)


def environment() -> dict[str, str]:
    """The test's own, with this checkout first and Python's buffers, without which a closed pipe is overlooked."""
    client = Path(__file__).resolve().parents[3] / "client"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**env, "PYTHONPATH": str(client)}
