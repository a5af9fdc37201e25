"""A batch system that misbehaves: nothing is guessed, nothing is lost, and other queues do not notice."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Harvester, until
from .fake_server import FakeServer

WORKER = {"cores": 1, "memory_mib": 1000, "walltime_s": 600, "disk_mib": 100}


class Batch:
    """The fake batch system as a test sees and changes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mood(self, **moods: str) -> None:
        fresh = self.folder / "mood.new"
        fresh.write_text(json.dumps(moods))
        fresh.rename(self.folder / "mood.json")

    def calls(self, word: str) -> list[str]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.split()[0] == word]

    def has(self) -> dict[str, Any]:
        return {path.stem: json.loads(path.read_text()) for path in (self.folder / "workers").glob("*.json")}

    def change(self, worker: str, **facts: Any) -> None:
        path = self.folder / "workers" / f"{worker}.json"
        fresh = path.with_suffix(".test")
        fresh.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
        fresh.rename(path)

    def remove(self, worker: str) -> None:
        (self.folder / "workers" / f"{worker}.json").unlink()


@pytest.fixture
def batch(server: FakeServer, harvester: Harvester) -> Batch:
    add(server, "q", harvester.batch)
    return Batch(harvester.batch)


def add(server: FakeServer, name: str, folder: Path, **config: Any) -> None:
    folder.mkdir(exist_ok=True)
    submitter = {"type": "fake", "files_dir": str(folder), **config.pop("submitter", {})}
    server.add_queue(name, **{"worker": WORKER, "submitter": submitter, **config})


def test_states_as_told(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    harvester.start()
    server.want("q", 2)
    server.wait(lambda: len(server.in_state("submitted")) == 2, "both wait in the batch system")
    assert len(server.workers) == 2
    batch.change("w1", word="running")
    server.wait(lambda: server.in_state("running") == ["w1"], "one runs")
    batch.change("w1", word="waiting")
    batch.change("w2", word="failed", message="node failed", exit_code=271)
    server.wait(lambda: server.in_state("failed") == ["w2"], "one failed")
    assert server.in_state("running") == ["w1"]
    assert server.workers["w2"]["message"] == "node failed"
    batch.change("w1", word="finished", exit_code=0)
    server.wait(lambda: server.in_state("finished") == ["w1"], "one finished")


@pytest.mark.parametrize("mood", ["busy", "silent", "crash"])
def test_no_answer_is_unknown_and_nothing_else(
    server: FakeServer, harvester: Harvester, batch: Batch, mood: str
) -> None:
    harvester.start()
    server.want("q", 1)
    server.wait(lambda: server.in_state("submitted"), "submitted")
    batch.mood(poll=mood)
    server.wait(lambda: server.workers["w1"].get("unknown"), "the mark")
    seen = len(batch.calls("poll"))
    until(lambda: len(batch.calls("poll")) > seen + 3, "it asks again and again")
    assert server.in_state("submitted") == ["w1"]
    batch.mood()
    server.wait(lambda: server.workers["w1"].get("unknown") is False, "the mark goes")
    assert len(server.workers) == 1


def test_absent_twice_and_a_grace(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    harvester.start()
    server.want("q", 1)
    server.wait(lambda: server.in_state("submitted"), "submitted")
    server.want("q", 0)
    at = time.time()
    batch.remove("w1")
    server.wait(lambda: server.in_state("lost"), "lost")
    assert time.time() - at >= 0.29


def test_lost_answer_is_found_by_label(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    """The submission happened, the answer did not come: it is found, and not submitted again."""
    batch.mood(submit="lose")
    harvester.start()
    server.want("q", 3)
    server.wait(lambda: len(server.in_state("submitted")) == 3, "all three are found")
    assert len(batch.calls("submit")) == 1
    assert len(batch.has()) == 3


def test_nothing_is_submitted_while_it_is_unknown_what_is_there(
    server: FakeServer, harvester: Harvester, batch: Batch
) -> None:
    batch.mood(submit="lose", find="busy")
    harvester.start()
    server.want("q", 1)
    until(lambda: len(batch.calls("find")) >= 2, "it looks for it")
    server.want("q", 5)
    told = server.wait(lambda: [one for one in server.decisions if "does not say what it has" in one["why"]], "why")
    assert told[0]["change"] == 0
    assert len(batch.calls("submit")) == 1
    batch.mood()
    server.wait(lambda: len(server.in_state("submitted")) == 5, "then all are there")
    assert len(batch.has()) == 5


@pytest.mark.parametrize("call", ["find", "cancel", "logs", "forget"])
def test_an_error_in_the_plugin_is_no_answer(server: FakeServer, harvester: Harvester, batch: Batch, call: str) -> None:
    """The queue goes on: what can be done without that answer is done, the rest when it comes."""
    batch.mood(submit="lose" if call == "find" else "ok", **{call: "crash"})
    harvester.start(keep_s="0")
    server.want("q", 1)
    until(lambda: batch.has(), "it comes so far")
    server.want("q", 0)
    if call == "find":
        until(lambda: batch.calls("find"), "it was asked")
        batch.mood()
    server.wait(lambda: server.in_state("submitted"), "submitted")
    if call == "cancel":
        server.kills.add("w1")
        until(lambda: batch.calls("cancel"), "it was asked")
        batch.mood()
        server.wait(lambda: server.in_state("cancelled"), "asked again")
        return
    batch.change("w1", word="failed")
    server.wait(lambda: server.in_state("failed"), "an end is an end, with its log or without")


def test_capacity_that_nobody_tells(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    batch.mood(capacity="crash")
    harvester.start()
    server.want("q", 1)
    told = server.wait(lambda: [one for one in server.decisions if "what it can take" in one["why"]], "why not")
    assert "ZeroDivisionError: a mistake in the plugin" in told[0]["why"]
    batch.mood()
    server.wait(lambda: server.in_state("submitted"), "when it is known, it goes on")


def test_busy_is_for_now(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    batch.mood(submit="busy")
    harvester.start()
    server.want("q", 2)
    told = server.wait(lambda: [one for one in server.decisions if "overloaded" in one["why"]], "the reason is told")
    assert told[0]["change"] == 0
    assert told[0]["why"].startswith("2 wait, paused until ")
    batch.mood()
    server.wait(lambda: len(server.in_state("submitted")) == 2, "it goes on after a pause")
    assert len(server.workers) == 2, "the same two workers, planned once"


def test_refused_is_for_ever(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    batch.mood(submit="refuse")
    harvester.start()
    server.want("q", 2)
    server.wait(lambda: len(server.in_state("failed")) == 2, "both workers end")
    assert server.workers["w1"]["message"] == "no such account: rubin"
    told = server.wait(lambda: [one for one in server.decisions if "paused until" in one["why"]], "the pause is told")
    assert "no such account" in told[-1]["why"]
    assert len(batch.calls("submit")) == 1


def test_limits_hold(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    server.queues["q"]["limits"] = {"workers": 7, "waiting_workers": 3}
    harvester.start()
    server.want("q", 1000)
    server.wait(lambda: len(server.in_state("submitted")) == 3, "three wait")
    told = server.wait(lambda: [one for one in server.decisions if "backlog 3 of 3" in one["why"]], "why no more")
    assert told[0]["why"].startswith("1,000 wait")
    for number in range(1, 8):
        server.wait(lambda number=number: f"w{number}" in server.in_state("submitted"), f"w{number}")
        batch.change(f"w{number}", word="running")
    server.wait(lambda: len(server.in_state("running")) == 7, "seven run")
    server.wait(lambda: [one for one in server.decisions if "limit 7 workers" in one["why"]], "why no more")
    assert len(batch.has()) == 7


def test_lanes_have_their_own_options_and_limits(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    lanes = [
        {"name": "small", "if": {"memory_mib": {"max": 500}}, "submitter": {"partition": "short"}},
        {"name": "large", "submitter": {"partition": "himem"}, "worker": "job", "limits": {"workers": 1}},
    ]
    server.queues["q"]["lanes"] = lanes
    harvester.start()
    server.want("q", 3, lane="large", memory_mib=9000)
    server.wait(lambda: server.in_state("submitted"), "one large")
    server.wait(lambda: [one for one in server.decisions if "lane limit 1 workers" in one["why"]], "why not more")
    assert batch.has()["w1"]["partition"] == "himem"
    assert server.workers["w1"]["shape"]["memory_mib"] == 9000
    server.want("q", 1, lane="small")
    server.wait(lambda: "w2" in batch.has(), "a small one")
    assert batch.has()["w2"]["partition"] == "short"


def test_status_without_new_workers(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    server.demand["q"]["status"] = "draining"
    harvester.start()
    server.want("q", 5)
    told = server.wait(lambda: [one for one in server.decisions if "draining" in one["why"]], "why not")
    assert told[0]["why"] == "5 wait, the queue is draining"
    assert not server.workers


def test_planned_and_not_wanted_any_more(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    """A worker that was planned and could not be submitted is submitted later, not planned again."""
    batch.mood(submit="busy")
    harvester.start()
    server.want("q", 1)
    server.wait(lambda: server.workers, "planned")
    harvester.kill()
    batch.mood()
    harvester.start()
    server.wait(lambda: server.in_state("submitted") == ["w1"], "the one that was planned")


def test_hanging_batch_system_slows_no_other_queue(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    add(server, "other", harvester.batch.parent / "batch2")
    batch.mood(submit="hang")
    harvester.start()
    server.want("q", 1)
    until(lambda: batch.calls("submit"), "one queue hangs")
    at = server.want("other", 1)
    server.wait(lambda: any(row["queue"] == "other" for row in server.workers.values()), "the other is served")
    assert server.planned_at[-1] - at < 1
    beats = len(server.hellos)
    server.wait(lambda: len(server.hellos) > beats + 2, "heartbeats go on")


def test_kill_waits_for_a_batch_system_that_is_busy(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    harvester.start()
    server.want("q", 1)
    server.wait(lambda: server.in_state("submitted"), "submitted")
    server.want("q", 0)
    batch.mood(cancel="busy")
    server.kills.add("w1")
    until(lambda: len(batch.calls("cancel")) >= 2, "it asks")
    assert server.in_state("submitted") == ["w1"]
    batch.mood()
    server.wait(lambda: server.in_state("cancelled"), "asked again, it ends")


def test_broken_plugin_is_told(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    server.add_queue("b", submitter={"type": "broken"})
    harvester.start()
    told = server.wait(lambda: [one for one in server.decisions if one["queue"] == "b"], "why")
    assert "is installed but does not load: ModuleNotFoundError" in told[0]["why"]


def test_server_away_while_it_wants_to_plan(server: FakeServer, harvester: Harvester, batch: Batch) -> None:
    harvester.start()
    server.wait(lambda: server.hellos, "a heartbeat")
    server.set_away(True)
    server.want("q", 2)
    until(lambda: "no contact with the server" in harvester.log.read_text(), "it notices")
    server.set_away(False)
    server.wait(lambda: len(server.in_state("submitted")) == 2, "it goes on")
    assert len(batch.has()) == 2
