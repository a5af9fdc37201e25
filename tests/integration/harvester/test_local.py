"""The whole way with the `local` submitter: demand, pilots, their ends."""

import json
import time

from barnstorm_plugins.submitters.base import START_S

from .conftest import Harvester, runs, until
from .fake_server import FakeServer

ONE_CORE = {"cores": 1, "memory_mib": 1000, "walltime_s": 600, "disk_mib": 100}


def local(server: FakeServer, **config: object) -> None:
    server.add_queue("here", **{"worker": ONE_CORE, "submitter": {"type": "local", "poll_s": 0.1}, **config})


def test_demand_becomes_pilots(server: FakeServer, harvester: Harvester) -> None:
    local(server, worker={**ONE_CORE, "cores": 2, "idle_s": 7})
    harvester.start()
    server.wait(lambda: server.hellos, "a heartbeat")
    at = server.want("here", 4)
    server.wait(lambda: len(server.pilots) == 2, "two pilots of two cores for four jobs")
    server.wait(lambda: len(server.in_state("running")) == 2, "both reported")
    assert server.planned_at[0] - at < 0.5
    note = harvester.note("w1")
    token_file = harvester.worker_dir("w1") / "join_token"
    assert note["environment"] == {
        "BARNSTORM_SERVER": server.url,
        "BARNSTORM_JOIN_TOKEN_FILE": str(token_file),
        "BARNSTORM_QUEUE": "here",
        "BARNSTORM_WORKER": "w1",
        "BARNSTORM_PILOT_FAKE": "stay",
        "BARNSTORM_PILOT_NOTES": str(harvester.notes),
    }
    options = dict(zip(note["arguments"][::2], note["arguments"][1::2], strict=True))
    assert options == {
        "--cores": "2",
        "--memory-mib": "1000",
        "--disk-mib": "100",
        "--gpus": "0",
        "--walltime-s": str(600 + START_S),
        "--work-dir": str(harvester.worker_dir("w1") / "work"),
        "--idle-s": "7",
    }
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert harvester.worker_dir("w1").stat().st_mode & 0o777 == 0o700
    assert "join-w1" not in harvester.log.read_text()
    row = server.workers["w1"]
    assert row["batch_id"].isdigit()
    assert row["node"]
    decision = server.wait(lambda: [one for one in server.decisions if one["change"] == 2], "the decision is told")[0]
    assert decision["lane"] == "all"
    assert decision["why"].startswith("4 wait")


def test_nothing_waits_no_worker(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    harvester.start()
    server.wait(lambda: server.decisions, "a decision")
    assert server.decisions[0]["why"] == "nothing waits"
    assert not server.workers


def test_no_second_worker_for_the_same_jobs(server: FakeServer, harvester: Harvester) -> None:
    """Jobs stay in demand until a pilot takes them: workers on their way are counted against them."""
    local(server)
    harvester.start()
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    server.want("here", 0)
    server.want("here", 2)
    server.wait(lambda: len(server.pilots) == 3, "two pilots more: the first has jobs of its own")
    assert len(server.workers) == 3


def test_machine_is_the_limit(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    server.add_queue("there", worker=ONE_CORE, submitter={"type": "local", "poll_s": 0.1})
    harvester.start()
    server.want("here", 50)
    server.want("there", 50)
    server.wait(lambda: len(server.pilots) == 8, "eight pilots on eight cores")
    told = server.wait(
        lambda: [one for one in server.decisions if "room for none more" in one["why"]], "the decision says why"
    )
    assert "8 of 8 cores" in told[0]["why"]
    assert len(harvester.started()) == 8


def test_exit_codes_and_logs(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    harvester.start(pilot="fail")
    server.want("here", 1)
    server.wait(lambda: server.in_state("failed"), "the failure is told")
    server.want("here", 0)
    row = server.workers["w1"]
    assert row["exit_code"] == 7
    assert "exit code 7" in row["message"]
    assert "words on stdout" in row["log_tail"]
    assert "words on stderr" in row["log_tail"]


def test_pilots_that_fail_at_once_are_not_followed_by_others_at_full_speed(
    server: FakeServer, harvester: Harvester
) -> None:
    local(server)
    harvester.start(pilot="fail")
    server.want("here", 1)
    told = server.wait(lambda: [one for one in server.decisions if "fail early" in one["why"]], "the pause is told")
    assert "workers fail early: the pilot ended with exit code 7 (" in told[0]["why"]
    at = time.time()
    number = len(server.workers)
    server.wait(lambda: len(server.workers) == number + 2, "after a pause, and a longer one, it tries again")
    assert time.time() - at > 1.5


def test_end_is_seen_at_once(server: FakeServer, harvester: Harvester) -> None:
    """A child's end wakes the harvester; it does not wait for the next poll."""
    local(server, submitter={"type": "local", "poll_s": 600})
    harvester.start(pilot="leave")
    server.want("here", 1)
    server.wait(lambda: server.in_state("finished"), "the end is told", timeout_s=5)
    assert server.workers["w1"]["exit_code"] == 0


def test_kill_order(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    harvester.start()
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    server.want("here", 0)
    server.kills.add("w1")
    server.wait(lambda: server.in_state("cancelled"), "the worker is ended")
    (pid,) = harvester.started()["w1"]
    assert not runs(pid)


def test_kill_of_a_stubborn_pilot_takes_its_children_too(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    harvester.start(pilot="stubborn", stop_grace_s="0.3")
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    server.want("here", 0)
    server.kills.add("w1")
    server.wait(lambda: server.in_state("cancelled"), "the worker is ended by force")
    (pid,) = harvester.started()["w1"]
    (child,) = [int(one.suffix[1:]) for one in harvester.notes.glob("child.*")]
    until(lambda: not runs(pid) and not runs(child), "nothing of it runs")


def test_a_pilot_killed_from_outside_is_a_failure(server: FakeServer, harvester: Harvester) -> None:
    import os

    local(server)
    harvester.start()
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    server.want("here", 0)
    os.kill(harvester.started()["w1"][0], 9)
    server.wait(lambda: server.in_state("failed"), "the failure is told")
    assert server.workers["w1"]["exit_code"] == 137
    assert "SIGKILL" in server.workers["w1"]["message"]


def test_unknown_is_not_failed(server: FakeServer, harvester: Harvester) -> None:
    """A directory that cannot be read is no answer: the worker keeps its state until there is one."""
    local(server)
    harvester.start()
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    server.want("here", 0)
    order = harvester.worker_dir("w1") / "order.json"
    kept = order.read_text()
    order.unlink()
    order.mkdir()
    server.wait(lambda: server.workers["w1"].get("unknown"), "the mark")
    assert server.in_state("running") == ["w1"]
    order.rmdir()
    order.write_text(kept)
    server.wait(lambda: server.workers["w1"].get("unknown") is False, "the mark goes")
    assert server.in_state("running") == ["w1"]


def test_gone_without_a_word_is_lost_after_a_grace(server: FakeServer, harvester: Harvester) -> None:
    """Pilot and wrapper killed together leave no exit code."""
    import os
    import signal

    local(server)
    harvester.start()
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    server.want("here", 0)
    at = time.time()
    os.killpg(int(server.workers["w1"]["batch_id"]), signal.SIGKILL)
    server.wait(lambda: server.in_state("lost"), "the loss is told")
    assert time.time() - at >= 1.9
    assert all(one["state"] in ("running", "lost", "planned") for one in server.reports)


def test_old_directories_go(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    harvester.start(pilot="leave", keep_s="0")
    server.want("here", 1)
    server.wait(lambda: server.in_state("finished"), "the end is told")
    server.want("here", 0)
    harvester.stop()
    assert harvester.worker_dir("w1").exists()
    harvester.start(keep_s="0")
    until(lambda: not harvester.worker_dir("w1").exists(), "the directory is gone")


def test_job_larger_than_the_machine_says_so(server: FakeServer, harvester: Harvester) -> None:
    local(server, worker="job")
    harvester.start()
    server.want("here", 3, cores=64)
    told = server.wait(lambda: [one for one in server.decisions if "64" in one["why"]], "the reason is told")
    assert "larger than any node there: cores 64 > 8" in told[0]["why"]
    assert not server.workers


def test_bad_options_are_told_and_hurt_no_other_queue(server: FakeServer, harvester: Harvester) -> None:
    local(server, submitter={"type": "local", "coers": 4})
    server.add_queue("odd", submitter={"type": "abacus"})
    server.add_queue("good", worker=ONE_CORE)
    harvester.start()
    for queue in ("here", "odd", "good"):
        server.want(queue, 1)
    server.wait(lambda: any(row["queue"] == "good" for row in server.workers.values()), "the good queue is served")
    whys = server.wait(
        lambda: (said := {one["queue"]: one["why"] for one in server.decisions}) and len(said) == 3 and said, "all said"
    )
    assert "submitter.coers: is no option" in whys["here"]
    assert "no submitter 'abacus'; installed here: " in whys["odd"]
    server.add_queue("here", worker=ONE_CORE, submitter={"type": "local"})
    server.wait(lambda: any(row["queue"] == "here" for row in server.workers.values()), "mended, it is served")


def test_decisions_and_batch_info_in_heartbeats(server: FakeServer, harvester: Harvester) -> None:
    local(server)
    harvester.start()
    server.want("here", 1)
    server.wait(lambda: server.pilots, "a pilot")
    info = server.wait(
        lambda: [one["batch"]["here"] for one in server.hellos if one.get("batch", {}).get("here", {}).get("workers")],
        "a heartbeat that knows the worker",
    )[-1]
    assert info["type"] == "local"
    assert info["trouble"] == ""
    assert "local" in server.hellos[-1]["submitters"]
    assert json.dumps(info)
