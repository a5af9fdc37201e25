"""The harvester killed at any point: no worker is lost, none is doubled, and pilots do not notice."""

import os
import signal
import sqlite3

import pytest

from .conftest import Harvester, runs, until
from .fake_server import FakeServer

ONE_CORE = {"cores": 1, "memory_mib": 1000, "walltime_s": 600, "disk_mib": 100}
POINTS = ["before_plan", "after_plan", "before_submit", "after_submit", "after_record"]


@pytest.fixture
def here(server: FakeServer) -> FakeServer:
    server.add_queue("here", worker=ONE_CORE, submitter={"type": "local", "poll_s": 0.1})
    return server


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_fault_point(here: FakeServer, harvester: Harvester, point: str) -> None:
    """Three jobs want three workers, however often the harvester dies on the way."""
    harvester.start(fault=point)
    here.want("here", 3)
    assert harvester.wait() == -signal.SIGKILL
    harvester.start()
    here.wait(lambda: len(here.pilots) == 3, "three pilots")
    here.wait(lambda: len(here.in_state("running")) == 3, "all three are told")
    assert len(here.workers) == 3
    assert {worker: len(pids) for worker, pids in harvester.started().items()} == {"w1": 1, "w2": 1, "w3": 1}
    assert [len(keys) for keys in here.pilots.values()] == [1, 1, 1]


@pytest.mark.parametrize(("point", "total"), list(zip(POINTS, [1, 1, 1, 5, 5], strict=True)))
def test_killed_again_and_again(here: FakeServer, harvester: Harvester, point: str, total: int) -> None:
    """Four deaths at one point, each while one job wants one worker: it is the same one until it is submitted."""
    for _ in range(4):
        harvester.start(fault=point)
        here.want("here", 1)
        assert harvester.wait() == -signal.SIGKILL
        here.wait(lambda: len(here.pilots) == len(list(harvester.dir.glob("workers/w*"))), "all that began have come")
    harvester.start()
    here.want("here", 1)
    here.wait(lambda: len(here.in_state("running")) == total, "all are told")
    here.wait(lambda: len(here.pilots) == total, "all have come")
    assert len(here.workers) == total
    assert all(len(pids) == 1 for pids in harvester.started().values())


def test_pilots_survive_and_are_followed_again(here: FakeServer, harvester: Harvester) -> None:
    harvester.start()
    here.want("here", 2)
    here.wait(lambda: len(here.pilots) == 2, "two pilots run")
    harvester.kill()
    pids = {worker: pids[0] for worker, pids in harvester.started().items()}
    assert all(runs(pid) for pid in pids.values())
    os.kill(pids["w1"], signal.SIGTERM)
    until(lambda: not runs(pids["w1"]), "one ends while nobody looks")
    harvester.start()
    here.wait(lambda: here.in_state("finished") == ["w1"], "its end is told")
    assert here.workers["w1"]["exit_code"] == 0
    assert here.in_state("running") == ["w2"]
    os.kill(pids["w2"], signal.SIGTERM)
    here.wait(lambda: len(here.in_state("finished")) == 2, "the end of one that is no child is seen, too")
    assert len(here.workers) == 2


def test_ends_are_kept_while_the_server_is_away(here: FakeServer, harvester: Harvester) -> None:
    """Followed and written down without a server, over a restart as well; told when it is back."""
    harvester.start()
    here.want("here", 1)
    here.wait(lambda: here.in_state("running") and here.pilots, "a pilot runs")
    here.set_away(True)
    harvester.kill()
    os.kill(harvester.started()["w1"][0], signal.SIGTERM)
    harvester.start()
    database = f"file:{harvester.dir / 'harvester.db'}?mode=ro"

    def state() -> str:
        with sqlite3.connect(database, uri=True) as db:
            return str(db.execute("SELECT state FROM worker").fetchone()[0])

    until(lambda: state() == "finished", "the end is written down")
    assert here.in_state("running") == ["w1"]
    here.set_away(False)
    here.wait(lambda: here.in_state("finished"), "the end is told")
    here.want("here", 1)
    here.wait(lambda: len(here.pilots) == 2, "it serves again")


def test_database_lost(here: FakeServer, harvester: Harvester) -> None:
    """Workers that only the server and the batch system know are taken in again."""
    harvester.start()
    here.want("here", 2)
    here.wait(lambda: len(here.in_state("running")) == 2 and len(here.pilots) == 2, "two pilots run")
    harvester.kill()
    for path in harvester.dir.glob("harvester.db*"):
        path.unlink()
    harvester.start()
    here.wait(lambda: "worker was not in the database" in harvester.log.read_text(), "they are taken in")
    here.kills.update(["w1", "w2"])
    here.wait(lambda: len(here.in_state("cancelled")) == 2, "they obey")
    assert len(here.workers) == 2


def test_leave_is_the_default(here: FakeServer, harvester: Harvester) -> None:
    harvester.start()
    here.want("here", 1)
    here.wait(lambda: here.in_state("running") and here.pilots, "a pilot runs")
    assert harvester.stop() == 0
    assert here.hellos[-1]["stopping"] is True
    assert runs(harvester.started()["w1"][0])


def test_drain_ends_pilots_politely(here: FakeServer, harvester: Harvester) -> None:
    harvester.start(on_stop="drain")
    here.want("here", 2)
    here.wait(lambda: len(here.in_state("running")) == 2 and len(here.pilots) == 2, "two pilots run")
    assert harvester.stop() == 0
    assert len(here.in_state("cancelled")) == 2
    assert [row["exit_code"] for row in here.workers.values()] == [0, 0]
    assert not any(runs(pids[0]) for pids in harvester.started().values())


def test_drain_kills_what_does_not_end(here: FakeServer, harvester: Harvester) -> None:
    harvester.start(pilot="stubborn", on_stop="drain", stop_grace_s="0.3")
    here.want("here", 1)
    here.wait(lambda: here.in_state("running") and here.pilots, "a pilot runs")
    assert harvester.stop() == 0
    assert not runs(harvester.started()["w1"][0])


def test_kill_on_stop(here: FakeServer, harvester: Harvester) -> None:
    harvester.start(pilot="stubborn", on_stop="kill")
    here.want("here", 1)
    here.wait(lambda: here.in_state("running") and here.pilots, "a pilot runs")
    assert harvester.stop() == 0
    assert not runs(harvester.started()["w1"][0])


def test_only_one_in_a_directory(here: FakeServer, harvester: Harvester) -> None:
    harvester.start()
    here.wait(lambda: here.hellos, "a heartbeat")
    first, harvester.process = harvester.process, None
    harvester.start()
    assert harvester.wait() == 1
    assert "another harvester (pid" in harvester.log.read_text()
    harvester.process = first
