"""The pilot and a server that is away, forgets, repeats itself or gives orders; and the pilot's own end."""

import os
import signal
import time

import pytest
from tests.waiting import wait_for

from barnstorm.model.queue import Check

from .conftest import StartPilot
from .fake_server import FakeServer
from .pilot_process import is_alive


def test_hello_tells_the_node(server: FakeServer, start: StartPilot) -> None:
    start("--worker", "w5", gpus=0)
    hello = server.wait(lambda: server.hellos, "a hello")[0]
    assert (hello["queue"], hello["worker"]) == ("local", "w5")
    assert hello["shape"]["memory_mib"] == 500
    assert {"os", "kernel", "arch", "python", "cpu_model", "cores", "memory_mib", "hostname", "pid"} <= set(
        hello["facts"]
    )
    checks = {one["name"]: one for one in hello["checks"]}
    assert all(one.get("ok", True) for one in checks.values())
    assert set(checks) >= {"python", "cores", "memory", "disk", "work_dir", "server"}


def test_an_idle_pilot_leaves(server: FakeServer, start: StartPilot) -> None:
    pilot = start(idle_s=0.3)
    assert pilot.wait() == 0
    assert server.goodbye is not None
    assert server.goodbye["why"] == "no work for 0.3 s"
    assert pilot.left_files() == []


def test_a_server_that_is_away_for_a_while(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("echo begun; sleep 0.7; echo ended")
    start()
    server.wait(lambda: job.stdout, "the log")
    server.away = True
    calls = len(server.calls)
    server.wait(lambda: len([path for _, path in server.calls[calls:] if path.endswith("lease")]) >= 3, "repeats")
    server.away = False
    report = server.ended(job)
    assert (report.state, job.stdout) == ("succeeded", "begun\nended\n")
    assert report.ended_ago_s is not None
    assert report.ended_ago_s > 0.1
    next_job = server.submit(["true"])
    assert server.ended(next_job).state == "succeeded"


def test_a_lost_answer_to_a_report_is_repeated(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("sleep 0.4")
    pilot = start(idle_s=1)
    server.wait(lambda: job.state == "running", "the start")
    server.lose_answers["lease"] = 2
    server.ended(job)
    assert pilot.wait() == 0
    assert job.reports >= 2


def test_a_lost_grant_is_granted_again_and_begun_once(server: FakeServer, start: StartPilot, tmp_path: object) -> None:
    start()
    server.wait(lambda: server.leases, "an idle pilot")
    server.lose_answers["lease"] = 1
    job = server.sh("echo once")
    assert server.ended(job).state == "succeeded"
    assert job.stdout == "once\n"


def test_a_grant_that_comes_twice_is_begun_once(server: FakeServer, start: StartPilot, tmp_path: object) -> None:
    server.grant_twice = True
    job = server.sh(f"echo x >> {tmp_path}/count; sleep 0.5")
    more = [server.submit(["true"]) for _ in range(5)]
    start()
    for one in [job, *more]:
        server.ended(one)
    with open(f"{tmp_path}/count") as file:
        assert file.read() == "x\n"


def test_html_and_errors_from_something_else_are_waited_out(server: FakeServer, start: StartPilot) -> None:
    server.answer_html = {"lease": 2, "heartbeat": 2}
    job = server.sh("sleep 0.4")
    start()
    assert server.ended(job).state == "succeeded"


def test_a_stale_report_is_let_go(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("sleep 0.3")
    server.stale.add(job.attempt)
    pilot = start(idle_s=0.5)
    assert pilot.wait() == 0
    assert "report was stale" in pilot.log
    assert job.report is None


def test_a_pilot_that_is_not_known_kills_and_leaves(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("echo $$; exec sleep 1000")
    pilot = start()
    pid = int(server.wait(lambda: job.stdout, "the log"))
    server.unknown = True
    assert pilot.wait() == 13
    assert not is_alive(pid)
    assert pilot.left_files() == []


def test_drain_finishes_what_runs(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("sleep 0.5; echo done")
    pilot = start()
    server.wait(lambda: job.state == "running", "the start")
    server.command("drain", why="downtime")
    assert pilot.wait() == 0
    assert server.ended(job).state == "succeeded"
    assert server.goodbye is not None
    assert server.goodbye["why"] == "downtime"


def test_sigterm_preempts_what_runs_and_gives_back_what_has_not_begun(server: FakeServer, start: StartPilot) -> None:
    # Short jobs first: then the pilot asks ahead.
    for _ in range(8):
        server.submit(["true"])
    running = server.sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    waiting = [server.submit(["true"]) for _ in range(2)]
    pilot = start()
    server.wait(lambda: running.stdout and any(job.state == "leased" for job in waiting), "a full pilot")
    pilot.terminate()
    assert pilot.wait() == 14
    report = server.ended(running)
    assert (report.state, report.fault, report.exit_code, running.stdout) == ("failed", "preempted", 0, "up\nbye\n")
    assert {job.report.state for job in waiting if job.report} == {"returned"}
    assert server.goodbye is not None
    assert pilot.left_files() == []


def test_what_waits_too_long_for_room_goes_back(server: FakeServer, start: StartPilot) -> None:
    for _ in range(8):
        server.submit(["true"])
    long = server.sh("echo up; sleep 1000")
    waiting = server.submit(["true"])
    start()
    server.wait(lambda: long.stdout and waiting.state == "leased", "a full pilot")
    assert server.ended(waiting).state == "returned"


@pytest.mark.parametrize("who", ["parent", "agent"])
def test_kill_9_of_a_pilot_leaves_no_payload(server: FakeServer, start: StartPilot, who: str) -> None:
    script = "echo $$; setsid sleep 1000 & echo $!; setsid env -i /bin/sleep 1000 & echo $!; exec sleep 1000"
    job = server.sh(script)
    pilot = start(grace_s=0.2)
    server.wait(lambda: job.stdout.count("\n") == 3, "the log")
    pids = [int(line) for line in job.stdout.split()]
    assert all(map(is_alive, pids))
    agent = pilot.agent()
    os.kill(pilot.process.pid if who == "parent" else agent, signal.SIGKILL)
    assert pilot.wait() in (-signal.SIGKILL, 128 + signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, [*pids, agent])), "the end of all of them")
    wait_for(lambda: pilot.left_files() == [], "no file left")


@pytest.mark.parametrize("point", ["after_grant", "before_spawn", "after_spawn", "before_report", "after_report"])
def test_fault_points(server: FakeServer, start: StartPilot, point: str) -> None:
    server.sh("sleep 0.2")
    pilot = start(env={"BARNSTORM_FAULT": point})
    assert pilot.wait() == 128 + signal.SIGKILL
    wait_for(lambda: pilot.left_files() == [], "no file left")


def test_a_worker_whose_walltime_ends(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("sleep 1000")
    pilot = start(walltime_s=8, grace_s=1)
    report = server.ended(job)
    assert (report.state, report.fault) == ("failed", "walltime_left")
    assert pilot.wait() == 0


@pytest.mark.parametrize(
    ("status", "options", "code"),
    [(403, {}, 10), (422, {}, 10), (500, {"connect_s": 0.3}, 12)],
)
def test_a_refused_hello(
    server: FakeServer, start: StartPilot, status: int, options: dict[str, float], code: int
) -> None:
    server.hello_status = status
    assert start(**options).wait() == code


def test_a_refusing_welcome(server: FakeServer, start: StartPilot) -> None:
    server.refused = "this node is blocked"
    pilot = start()
    assert pilot.wait() == 10
    assert "this node is blocked" in pilot.log


def test_a_server_that_is_not_there(server: FakeServer, start: StartPilot) -> None:
    server.close()
    begin = time.monotonic()
    assert start(connect_s=0.5).wait() == 12
    assert time.monotonic() - begin < 10


def test_a_failed_check_of_the_queue_keeps_jobs_away(server: FakeServer, start: StartPilot) -> None:
    server.settings.checks = [Check("fine", "echo all is well", expect="well"), Check("mount", "echo no mount; exit 3")]
    job = server.submit(["true"])
    pilot = start()
    assert pilot.wait() == 11
    assert server.goodbye is not None
    assert "mount: exit code 3, expected 0: no mount" in server.goodbye["why"]
    assert job.state == "waiting"


def test_passed_checks_let_jobs_in(server: FakeServer, start: StartPilot) -> None:
    server.settings.checks = [Check("fine", "exit 4", expect_rc=4)]
    job = server.submit(["true"])
    start()
    assert server.ended(job).state == "succeeded"


def test_a_promise_of_isolation_that_cannot_be_kept(server: FakeServer, start: StartPilot) -> None:
    server.settings.isolation = "container"
    assert start().wait() == 11


def test_a_work_directory_that_cannot_be_used(server: FakeServer, start: StartPilot) -> None:
    pilot = start(work_dir="/proc/nothing")
    assert pilot.wait() == 11
    assert "/proc/nothing" in pilot.log


def test_a_work_directory_that_somebody_removed_is_made_again(server: FakeServer, start: StartPilot) -> None:
    first = server.sh('cd /; rm -rf "${HOME%/*/*}"')
    start()
    server.ended(first)
    assert server.ended(server.sh("pwd")).state == "succeeded"


def test_a_sick_node_does_not_eat_the_queue(server: FakeServer, start: StartPilot) -> None:
    first = server.sh('cd /; rm -rf "${HOME%/*/*}"; touch "${HOME%/*/*}"')
    pilot = start()
    server.ended(first)
    jobs = [server.submit(["true"]) for _ in range(50)]
    assert pilot.wait() == 11
    assert {job.report.fault for job in jobs if job.report and job.report.state == "failed"} == {"work_dir"}
    assert sum(1 for job in jobs if job.report and job.report.state == "failed") < 10
    assert server.goodbye is not None
    assert "this node cannot run jobs" in server.goodbye["why"]


def test_several_jobs_share_the_slot(server: FakeServer, start: StartPilot) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    jobs = [server.sh("echo up; sleep 1000", memory_mib=200) for _ in range(3)]
    pilot = start(cores=2)
    server.wait(lambda: [job.state for job in jobs].count("running") == 2, "two running")
    assert jobs[2].state in ("waiting", "leased")
    pilot.terminate()
    pilot.wait()


def test_many_short_jobs_each_end_once(server: FakeServer, start: StartPilot) -> None:
    jobs = [server.submit(["true"]) for _ in range(300)]
    start(cores=len(os.sched_getaffinity(0)))
    server.wait(lambda: all(job.report for job in jobs), "all ends")
    assert {job.report.state for job in jobs if job.report} == {"succeeded"}
    assert [job.reports for job in jobs] == [1] * 300
    calls = len([path for _, path in server.calls if path.endswith("lease")])
    assert calls < 200, "reports and grants travel together"
