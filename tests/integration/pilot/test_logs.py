"""Logs: live, without gap or repeat, binary, and limited."""

import time

import pytest

from .conftest import StartPilot
from .fake_server import FakeServer


def test_a_line_arrives_while_the_payload_runs(server: FakeServer, start: StartPilot) -> None:
    start()
    job = server.sh("while [ ! -e /proc/$$/nothing ]; do date +%s.%N; sleep 0.3; done")
    server.wait(lambda: len(job.log_at) >= 4, "pieces of the log")
    said = [float(line) for line in job.stdout.splitlines()]
    assert time.time() - said[-1] < 2.0
    server.command("kill", job.attempt)
    server.ended(job)
    assert job.stdout.endswith("\n")


def test_a_long_log_arrives_whole(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("seq 1 400000")
    start()
    assert server.ended(job).state == "succeeded"
    assert job.stdout == "".join(f"{n}\n" for n in range(1, 400001))


def test_binary_is_kept_as_it_is(server: FakeServer, start: StartPilot) -> None:
    job = server.submit(["python3", "-c", "import os; os.write(1, bytes(range(256)) * 3)"])
    start()
    server.ended(job)
    assert bytes(job.logs["stdout"]) == bytes(range(256)) * 3


def test_a_server_that_forgot_some_gets_it_again(server: FakeServer, start: StartPilot) -> None:
    start()
    job = server.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; sleep 0.15; done")
    server.wait(lambda: len(job.logs["stdout"]) > 20, "some of the log")
    with server.changed:
        del job.logs["stdout"][5:]
    server.ended(job)
    assert job.stdout == "".join(f"line {n}\n" for n in range(1, 13))


def test_a_lost_answer_repeats_no_byte(server: FakeServer, start: StartPilot) -> None:
    server.lose_answers["stdout"] = 2
    job = server.sh("for i in 1 2 3 4 5 6; do echo line $i; sleep 0.3; done")
    start()
    server.ended(job)
    assert job.stdout == "".join(f"line {n}\n" for n in range(1, 7))


@pytest.mark.parametrize("extra", [0, 1000])
def test_what_is_over_the_limit_is_dropped_with_a_mark(server: FakeServer, start: StartPilot, extra: int) -> None:
    job = server.sh(f"head -c {(1 << 20) + extra} /dev/zero | tr '\\0' x")
    start(log_limit_mib=1)
    assert server.ended(job).state == "succeeded"
    mark = f"\n[barnstorm: {extra:,} bytes dropped, limit 1,048,576]\n" if extra else ""
    assert job.stdout == "x" * (1 << 20) + mark


def test_an_endless_log_ends_the_job_not_the_node(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("yes", disk_mib=30)
    pilot = start(log_limit_mib=1, idle_s=0.5)
    report = server.ended(job)
    assert (report.state, report.fault) == ("failed", "disk")
    assert len(job.logs["stdout"]) < 1.1 * (1 << 20)
    pilot.wait()
    assert pilot.left_files() == []
