"""What becomes of payloads: their ends told honestly, their surroundings, their logs."""

import time

from barnstorm.model.payload import ScriptPayload

from .conftest import StartPilot
from .fake_server import FakeServer


def test_a_job_runs_and_its_end_is_told_in_one_report(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("echo hello; echo oops >&2")
    pilot = start()
    report = server.ended(job)
    assert (report.state, report.exit_code, report.fault) == ("succeeded", 0, "")
    assert (job.stdout, job.stderr) == ("hello\n", "oops\n")
    assert report.metrics["Max"]["wtime"] > 0
    assert not [path for _, path in server.calls if "/log/" in path], "a short log travels in the report"
    assert pilot.process.poll() is None
