"""The `local` submitter against the suite that every submitter passes, and what is its own."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.conformance.submitters import Bench, SubmitterConformance, wait

from barnstorm.model.queue import PilotSettings
from barnstorm.model.shape import Shape
from barnstorm_plugins.submitters.base import Known, NotSubmitted, Submitted
from barnstorm_plugins.submitters.local import LocalSubmitter

HERE = Path(__file__).parent


class LocalBench(Bench):
    submitter = LocalSubmitter

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder / "workers")
        self.folder, self._patch = folder, monkeypatch
        monkeypatch.setenv("PYTHONPATH", str(HERE / "fake_pilot"))
        monkeypatch.setenv("BARNSTORM_PILOT_NOTES", str(folder))

    def behave(self, how: str) -> None:
        self._patch.setenv("BARNSTORM_PILOT_FAKE", how)

    def block(self) -> dict[str, object]:
        return {"type": "local", "cores": 6, "memory_mib": 6000}

    def cleanup(self) -> None:
        while self._kill_all():  # one that was just being started comes to light with the next look
            continue

    def _kill_all(self) -> bool:
        found = False
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("BARNSTORM_PILOT_NOTES") == str(self.folder) and process.pid != os.getpid():
                    process.kill()
                    found = True
                    with contextlib.suppress(OSError):
                        os.waitpid(process.pid, 0)
        return found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBench]:
    one = LocalBench(tmp_path, monkeypatch)
    yield one
    one.cleanup()


class TestLocal(SubmitterConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        one = LocalBench(tmp_path, monkeypatch)
        yield one
        one.cleanup()


def test_repeating_a_submission_starts_nothing_again(bench: LocalBench) -> None:
    bench.behave("stay")
    first, again = bench.make(), bench.make()
    order = bench.order(first)
    one = dict(first.submit([order]))[order.worker]
    wait(lambda: (bench.files_dir / order.worker / "pid").exists() or None, "it began", 10)
    two = dict(again.submit([order]))[order.worker]
    assert isinstance(one, Submitted)
    assert isinstance(two, Submitted)
    assert one.batch_id == two.batch_id


def test_a_lost_submission_that_has_not_begun_never_begins(bench: LocalBench) -> None:
    """The harvester died between making the directory and starting the shell, or the shell is slow to start."""
    bench.behave("stay")
    submitter = bench.make()
    order = bench.order(submitter)
    place = LocalSubmitter(submitter.place)._dir(order.worker)
    place.prepare(order)
    assert dict(submitter.find(submitter.place.labels())) == {}
    pid = place.start(order)  # the slow shell, at last
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 125
    assert dict(submitter.poll([Known(order.worker, "")]))[order.worker].word == "absent"
    result = dict(submitter.submit([order]))[order.worker]
    assert isinstance(result, Submitted), "and then it can be submitted again"
    wait(lambda: submitter.poll([Known(order.worker, "")])[order.worker].word == "running" or None, "it runs", 10)


def test_a_name_used_again_by_another_server(bench: LocalBench) -> None:
    """Worker ids begin at 1 again with a new server; what an older worker of that name left is not taken for it."""
    bench.behave("leave")
    submitter = bench.make()
    old = bench.order(submitter)
    submitter.submit([old])
    wait(lambda: submitter.poll([Known("w1", "")])["w1"].word == "finished" or None, "the old one ended", 10)
    bench.behave("stay")
    fresh = bench.make()
    bench._numbers = iter([1])  # type: ignore[assignment]
    new = bench.order(fresh)
    assert new.worker == old.worker
    assert dict(fresh.find(fresh.place.labels()))["w1"].key == old.labels["key"]
    assert isinstance(dict(fresh.submit([new]))["w1"], Submitted)
    wait(lambda: fresh.poll([Known("w1", "")])["w1"].word == "running" or None, "the new one runs", 10)


def test_another_worker_of_that_name_that_still_runs_is_not_touched(bench: LocalBench) -> None:
    bench.behave("stay")
    submitter = bench.make()
    submitter.submit([bench.order(submitter)])
    bench._numbers = iter([1])  # type: ignore[assignment]
    result = dict(submitter.submit([bench.order(submitter)]))["w1"]
    assert isinstance(result, NotSubmitted)
    assert not result.for_ever
    assert "still runs" in result.why


def test_a_pid_used_again_is_not_the_worker(bench: LocalBench) -> None:
    bench.behave("stay")
    submitter = bench.make()
    order = bench.order(submitter)
    submitter.submit([order])
    pid = bench.files_dir / "w1" / "pid"
    wait(lambda: (pid.exists() and pid.read_text().endswith("\n")) or None, "it began", 10)
    kept = pid.read_text()
    fields = kept.split(" ")
    fields[21] = str(int(fields[21]) - 1)
    pid.write_text(" ".join(fields))
    assert dict(submitter.poll([Known("w1", "")]))["w1"].word == "absent"
    pid.write_text(kept)
    assert dict(submitter.poll([Known("w1", "")]))["w1"].word == "running"


def test_a_machine_started_again_has_none_of_them(bench: LocalBench) -> None:
    bench.behave("stay")
    submitter = bench.make()
    submitter.submit([bench.order(submitter)])
    order = bench.files_dir / "w1" / "order.json"
    order.write_text(order.read_text().replace('"boot": "', '"boot": "another-'))
    assert dict(submitter.poll([Known("w1", "")]))["w1"].word == "absent"


def test_exits_are_heard_of(bench: LocalBench) -> None:
    bench.behave("leave")
    heard = threading.Event()
    submitter = bench.make()
    submitter.listen(heard.set)
    submitter.submit([bench.order(submitter)])
    assert heard.wait(10)
    assert dict(submitter.poll([Known("w1", "")]))["w1"].word == "finished"
    submitter.close()


def test_setup_lines_run_first_and_speak_to_the_pilot(bench: LocalBench) -> None:
    bench.behave("stay")
    submitter = bench.make()
    lines = PilotSettings(setup=["export BARNSTORM_PILOT_FAKE=fail", "echo from setup"])
    order = replace(bench.order(submitter), pilot=lines)
    submitter.submit([order])
    wait(lambda: submitter.poll([Known("w1", "")])["w1"].word == "failed" or None, "the pilot did as told", 10)
    assert submitter.logs(Known("w1", "")).stdout.startswith("from setup")


def test_queues_share_the_machine(bench: LocalBench) -> None:
    bench.behave("stay")
    one, other = bench.make("one"), bench.make("other")
    first, second = bench.order(one, Shape(4, 100, 600, 10)), bench.order(other, Shape(4, 100, 600, 10))
    assert isinstance(dict(one.submit([first]))[first.worker], Submitted)
    result = dict(other.submit([second]))[second.worker]
    assert isinstance(result, NotSubmitted)
    assert not result.for_ever
    assert "no room now: cores 4 > 2 (1 pilots here have 4 of 6 cores" in result.why


def test_a_directory_that_cannot_be_made(bench: LocalBench) -> None:
    submitter = bench.make()
    bench.files_dir.mkdir()
    (bench.files_dir / "w1").write_text("in the way")
    result = dict(submitter.submit([bench.order(submitter)]))["w1"]
    assert isinstance(result, NotSubmitted)
    assert "could not start a pilot" in result.why


def test_a_payloads_folder_without_permissions_is_removed(bench: LocalBench) -> None:
    bench.behave("leave")
    submitter = bench.make()
    submitter.submit([bench.order(submitter)])
    wait(lambda: submitter.poll([Known("w1", "")])["w1"].word == "finished" or None, "it ended", 10)
    locked = bench.files_dir / "w1" / "work" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0)
    submitter.forget(["w1"])
    assert not (bench.files_dir / "w1").exists()
