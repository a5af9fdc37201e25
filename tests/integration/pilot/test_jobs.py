"""What becomes of payloads: their ends told honestly, their surroundings, what they leave."""

import os
import signal
import time
from pathlib import Path

import pytest

from barnstorm.model.collection import FileIn
from barnstorm.model.task import FileOut

from .conftest import StartPilot
from .fake_server import FakeServer
from .pilot_process import is_alive


def test_a_job_runs_and_its_end_is_told_in_one_report(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("echo hello; echo oops >&2")
    pilot = start()
    report = server.ended(job)
    assert (report.state, report.exit_code, report.fault) == ("succeeded", 0, "")
    assert (job.stdout, job.stderr) == ("hello\n", "oops\n")
    assert report.metrics["Max"]["wtime"] > 0
    assert report.metrics["Max"]["rss"] > 0
    assert not [path for _, path in server.calls if "/log/" in path], "a short log travels in the report"
    assert pilot.process.poll() is None


@pytest.mark.parametrize(
    ("script", "code", "number", "fault"),
    [
        ("exit 3", 3, None, "exit"),
        ("kill -9 $$", None, signal.SIGKILL, "signal"),
        ("kill -SEGV $$", None, signal.SIGSEGV, "signal"),
        ("exit 255", 255, None, "exit"),
    ],
)
def test_exit_codes_and_signals_are_told_as_they_were(
    server: FakeServer, start: StartPilot, script: str, code: int | None, number: int | None, fault: str
) -> None:
    job = server.sh(script)
    start()
    report = server.ended(job)
    assert (report.state, report.exit_code, report.signal, report.fault) == ("failed", code, number, fault)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["no-such-program"], "no program 'no-such-program' on this node's PATH"),
        (["/proc/version"], "not executable"),
        (["./nothing"], "No such file"),
        (["/"], "is a directory"),
    ],
)
def test_a_program_that_cannot_be_started(server: FakeServer, start: StartPilot, argv: list[str], said: str) -> None:
    job = server.submit(argv)
    start()
    report = server.ended(job)
    assert (report.state, report.fault) == ("failed", "command_missing")
    assert said in report.message


def test_the_environment_is_clean_and_documented(server: FakeServer, start: StartPilot) -> None:
    server.settings.env = {"SITE": "here", "BOTH": "queue"}
    env = {"MINE": "seed {seed}", "BOTH": "task"}
    job = server.submit(["env"], env=env, values={"seed": 11}, task=5, cores=1)
    start(env={"SECRET": "x", "LC_ALL": "C.UTF-8"})
    server.ended(job)
    found = dict(line.split("=", 1) for line in job.stdout.splitlines())
    assert found["MINE"] == "seed 11"
    assert (found["SITE"], found["BOTH"]) == ("here", "task")
    assert (found["BARNSTORM_ATTEMPT"], found["BARNSTORM_JOB_ID"], found["BARNSTORM_INDEX"]) == ("5.0/1", "5.0", "0")
    assert found["HOME"] == found["PWD"] == found["BARNSTORM_WORK_DIR"]
    assert found["OMP_NUM_THREADS"] == found["BARNSTORM_CORES"] == "1"
    assert found["LC_ALL"] == "C.UTF-8"
    assert not {"SECRET", "BARNSTORM_SERVER", "BARNSTORM_JOIN_TOKEN_FILE", "PYTHONPATH"} & set(found)
    text = (Path(__file__).parents[3] / "docs" / "payload-environment.md").read_text()
    assert [
        name for name in found if name not in env and name != "SITE" and f"`{name}`" not in text and name != "_"
    ] == []


def test_placeholders_and_the_work_directory(server: FakeServer, start: StartPilot) -> None:
    job = server.submit(
        ["sh", "-c", 'pwd; ls -A; stat -c %a .; umask; cat; echo "$1"', "x", "{job}/{seed}"], values={"seed": 4}
    )
    pilot = start()
    server.ended(job)
    here, mode, mask, argument = job.stdout.splitlines()
    assert here == str(pilot.work_dir / "p7" / "1.0.1" / "work")
    assert (mode, mask, argument) == ("700", "0022", "1.0/4")


def test_an_unknown_placeholder(server: FakeServer, start: StartPilot) -> None:
    job = server.submit(["echo", "{nothing}"])
    start()
    report = server.ended(job)
    assert (report.fault, report.state) == ("bad_placeholder", "failed")
    assert "{nothing}" in report.message


def test_arguments_and_environment_too_long_for_the_system(server: FakeServer, start: StartPilot) -> None:
    job = server.submit(["true"], env={"BIG": "x" * 200_000})
    start()
    report = server.ended(job)
    assert (report.fault, "longer than this system allows" in report.message) == ("command_missing", True)


@pytest.mark.parametrize(
    "script",
    [
        'cd /; rm -rf "$HOME"; echo done',
        "mkdir -p a/b; touch a/b/c; chmod 0 a/b a; chmod 0 .; echo done",
        'cd /; rm -rf "$HOME/../"*; echo done',
        "mkdir d; cd d; i=0; while [ $i -lt 300 ]; do mkdir d && cd d || break; i=$((i+1)); done; echo done",
        "ln -s /etc/passwd here; ln -s / root; mkfifo pipe; echo done",
    ],
)
def test_a_payload_cannot_spoil_its_end(server: FakeServer, start: StartPilot, script: str) -> None:
    job = server.sh(script)
    pilot = start(idle_s=0.3)
    report = server.ended(job)
    assert (report.state, job.stdout) == ("succeeded", "done\n")
    assert pilot.wait() == 0
    assert pilot.left_files() == []
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize(
    "daemon",
    [
        "sleep 1000 & echo $!",
        "setsid sleep 1000 & echo $!",
        "setsid env -i /bin/sleep 1000 & echo $!",
        "(setsid sh -c 'setsid sleep 1000 & echo $!' &) ; sleep 0.2",
        "setsid sh -c \"trap '' TERM HUP; sleep 1000; true\" & echo $!",
    ],
)
def test_no_process_of_a_payload_stays(server: FakeServer, start: StartPilot, daemon: str) -> None:
    job = server.sh(daemon)
    start()
    server.ended(job)
    left = int(job.stdout)
    assert not is_alive(left), "it was killed before the end was told"


def test_a_daemon_of_one_job_is_killed_and_its_neighbour_is_not(server: FakeServer, start: StartPilot) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    neighbour = server.sh("sleep 1000 & wait")
    pilot = start(cores=2)
    server.wait(lambda: neighbour.state == "running", "the neighbour")
    job = server.sh("setsid sleep 1000 & echo $!; sleep 0.3")
    server.ended(job)
    assert not is_alive(int(job.stdout))
    assert neighbour.report is None
    pilot.terminate()
    assert server.ended(neighbour).fault == "preempted"


def test_kill_ends_a_payload_that_ignores_sigterm(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("trap '' TERM; echo ready; while :; do sleep 0.1; done")
    start(grace_s=0.3)
    server.wait(lambda: job.stdout == "ready\n", "the log")
    server.command("kill", job.attempt, "no longer wanted")
    report = server.ended(job)
    assert (report.state, report.fault, report.message) == ("cancelled", "killed", "no longer wanted")
    assert report.signal == signal.SIGKILL


def test_kill_lets_a_payload_end_in_peace(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    start(grace_s=10)
    server.wait(lambda: job.stdout == "ready\n", "the log")
    server.command("kill", job.attempt)
    report = server.ended(job)
    assert (report.state, report.exit_code, job.stdout) == ("cancelled", 5, "ready\nbye\n")


def test_stop_ends_a_payload_and_reports_nothing(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("echo $$; exec sleep 1000")
    pilot = start()
    server.wait(lambda: job.stdout, "the log")
    server.command("stop", job.attempt)
    next_job = server.submit(["true"])
    server.ended(next_job)
    assert not is_alive(int(job.stdout))
    assert job.report is None
    pilot.terminate()
    assert pilot.wait() == 0


def test_walltime(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("sleep 1000", walltime_s=1)
    start()
    report = server.ended(job)
    assert (report.state, report.fault, report.signal) == ("failed", "walltime", signal.SIGTERM)
    assert 1.0 <= report.metrics["Max"]["wtime"] < 2.5


def test_memory_of_a_child_counts(server: FakeServer, start: StartPilot) -> None:
    hog = "python3 -c 'x = bytearray(120 << 20); import time; time.sleep(100)' & wait"
    job = server.sh(hog, memory_mib=64)
    start()
    report = server.ended(job)
    assert (report.state, report.fault) == ("failed", "memory")
    assert "asked for 64 MiB" in report.message
    assert report.metrics["Max"]["pss"] > 64 * 1024


def test_disk(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("head -c 40000000 /dev/zero > big; sleep 1000", disk_mib=20)
    start()
    report = server.ended(job)
    assert (report.state, report.fault) == ("failed", "disk")


def test_outputs_become_blobs(server: FakeServer, start: StartPilot) -> None:
    outs = [FileOut("r-{seed}.txt"), FileOut("sub/more"), FileOut("maybe", optional=True)]
    job = server.sh("echo result > r-9.txt; mkdir sub; : > sub/more", outputs=outs, values={"seed": 9})
    start()
    report = server.ended(job)
    assert [(one.name, server.blobs[one.blob]) for one in report.outputs] == [
        ("r-9.txt", b"result\n"),
        ("sub/more", b""),
    ]


@pytest.mark.parametrize(
    ("script", "fault", "said"),
    [
        ("echo x > result.tx", "output_missing", "the work directory holds result.tx"),
        ("ln -s /etc/passwd result.txt", "output_bad", "link out of the work directory"),
        ("mkfifo result.txt", "output_bad", "no regular file"),
        ("mkdir result.txt", "output_bad", "no regular file"),
        ("mkdir d; ln -s /etc d/e; ln -s d/e/passwd result.txt", "output_bad", "link out"),
    ],
)
def test_bad_outputs(server: FakeServer, start: StartPilot, script: str, fault: str, said: str) -> None:
    job = server.sh(script, outputs=[FileOut("result.txt")])
    start()
    report = server.ended(job)
    assert (report.state, report.fault, report.exit_code) == ("failed", fault, 0)
    assert said in report.message


def test_outputs_of_a_failed_payload_are_not_kept(server: FakeServer, start: StartPilot) -> None:
    job = server.sh("echo x > result.txt; exit 1", outputs=[FileOut("result.txt")])
    start()
    assert (server.ended(job).fault, server.blobs) == ("exit", {})


def test_inputs_of_all_kinds(server: FakeServer, start: StartPilot, tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.write_text("there\n")
    code = server.blob(b"#!/bin/sh\necho tool\n")
    data = server.blob(b"data\n")
    server.outputs[3] = [
        {"job": "3.0", "index": 0, "name": "out.txt", "blob": server.blob(b"zero\n"), "size": 5},
        {"job": "3.1", "index": 1, "name": "out.txt", "blob": server.blob(b"one\n"), "size": 4},
        {"job": "3.1", "index": 1, "name": "other/log", "blob": server.blob(b"log\n"), "size": 4},
    ]
    inputs = [
        FileIn(f"blob:{code}", "bin/tool", executable=True),
        FileIn(f"site:{there}"),
        FileIn("task:3"),
        FileIn("task:3/out.txt", "merged"),
    ]
    script = "bin/tool; cat there.txt own 3/0/out.txt 3/1/other/log merged/1/out.txt; ls merged/1"
    job = server.sh(script, inputs=inputs, file=FileIn(f"blob:{data}", "own"))
    pilot = start(idle_s=0.3)
    report = server.ended(job)
    assert (report.state, job.stderr) == ("succeeded", "")
    assert job.stdout.split() == ["tool", "there", "data", "zero", "log", "one", "out.txt"]
    pilot.wait()
    assert there.read_text() == "there\n"


def test_jobs_of_one_owner_share_blobs_and_of_another_do_not(server: FakeServer, start: StartPilot) -> None:
    digest = server.blob(b"shared\n")
    jobs = [
        server.sh("cat in; echo spoilt >> in", owner=owner, inputs=[FileIn(f"blob:{digest}", "in")])
        for owner in ("ann", "ann", "bob")
    ]
    start()
    assert [(server.ended(job).state, job.stdout) for job in jobs] == [("succeeded", "shared\n")] * 3
    assert len([path for _, path in server.calls if path.endswith(digest)]) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("blob:" + "0" * 64, "the server has no blob"),
        ("site:/no/such/file", "No such file"),
        ("task:99", "there is no task 99"),
        ("task:4/nope", "no output named nope"),
    ],
)
def test_a_missing_input(server: FakeServer, start: StartPilot, source: str, said: str) -> None:
    server.outputs[4] = []
    job = server.submit(["true"], inputs=[FileIn(source, "in")])
    start()
    report = server.ended(job)
    assert (report.state, report.fault) == ("failed", "input_missing")
    assert said in report.message


def test_a_broken_download_is_no_fault_of_the_user(server: FakeServer, start: StartPilot) -> None:
    digest = server.blob(b"good")
    server.blobs[digest] = b"damaged"
    job = server.submit(["true"], inputs=[FileIn(f"blob:{digest}", "in")])
    start()
    report = server.ended(job)
    assert (report.fault, "damaged" in report.message) == ("stage_in", True)


def test_a_long_job_is_told_running_soon_and_sampled(server: FakeServer, start: StartPilot) -> None:
    start()
    server.wait(lambda: ("POST", "/v1/pilots/p7/lease") in server.calls, "an idle pilot")
    begin = time.monotonic()
    job = server.sh("python3 -c 'x = bytearray(60 << 20); import time; time.sleep(2.5)'")
    server.wait(lambda: job.state == "running", "the state")
    assert time.monotonic() - begin < 1.0
    server.wait(lambda: any(one["rss"] > 60 * 1024 for one in job.samples), "a live sample")
    report = server.ended(job)
    assert report.metrics["Max"]["rss"] > 60 * 1024
    assert report.metrics["Max"]["nprocs"] >= 1
    assert report.metrics["Max"]["utime"] + report.metrics["Max"]["stime"] > 0
    assert report.metrics["HW"]["mem"]["MemTotal"] > 0
