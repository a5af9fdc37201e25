"""What every submitter must do, as tests: subclass `SubmitterConformance`, and give it a `bench` fixture.

    class TestMine(SubmitterConformance):
        @pytest.fixture
        def bench(self, tmp_path): ...          # a Bench for a batch system that runs

A bench starts workers that behave as a test wants; all else goes through the contract alone.
"""

import abc
import itertools
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from barnstorm.model.shape import Shape
from barnstorm_plugins.submitters.base import (
    InvalidOptions,
    Known,
    NotSubmitted,
    Place,
    Status,
    Submitted,
    Submitter,
    WorkerOrder,
    read_options,
)

T = TypeVar("T")
LIVE = ("waiting", "running")
ENDED = ("finished", "failed", "cancelled")


class Bench(abc.ABC):
    """A batch system for tests. `behave` says what the pilots of the following submissions do."""

    submitter: type[Submitter]
    server_url = "http://127.0.0.1:9"
    timeout_s = 30.0

    def __init__(self, files_dir: Path) -> None:
        self.files_dir = files_dir
        self._numbers = itertools.count(1)

    @abc.abstractmethod
    def behave(self, how: str) -> None:
        """`stay` until asked to end · `leave` well at once · `fail` with exit code 7 after words on both streams."""

    def block(self) -> dict[str, object]:
        """The `submitter` block of a queue."""
        return {}

    def make(self, queue: str = "q") -> Submitter:
        """A fresh submitter object, as after a restart."""
        place = Place("h1", queue, read_options(self.submitter.Options, self.block()), self.files_dir)
        return self.submitter(place)

    def order(self, submitter: Submitter, shape: Shape | None = None) -> WorkerOrder:
        """An order that nothing else has."""
        worker = f"w{next(self._numbers)}"
        labels = {**submitter.place.labels(), "worker": worker, "key": uuid.uuid4().hex}
        shape = shape or Shape(1, 100, 600, 10)
        options = submitter.place.options
        return WorkerOrder(
            worker, submitter.place.queue, "all", shape, options, labels, self.server_url, "a-secret-token"
        )

    @abc.abstractmethod
    def cleanup(self) -> None:
        """End whatever a test left."""


def known(orders: list[WorkerOrder], answer: object) -> list[Known]:
    """Orders as the harvester knows them after their submission."""
    assert isinstance(answer, dict)
    found = []
    for order in orders:
        result = answer[order.worker]
        assert isinstance(result, Submitted), result
        found.append(Known(order.worker, result.batch_id))
    return found


class SubmitterConformance:
    """The contract of `barnstorm_plugins.submitters.base`, one guarantee a test."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError("a subclass gives the bench")

    def submit(self, bench: Bench, submitter: Submitter, number: int = 1) -> list[Known]:
        orders = [bench.order(submitter) for _ in range(number)]
        return known(orders, dict(submitter.submit(orders)))

    def until(self, bench: Bench, submitter: Submitter, workers: list[Known], *words: str) -> dict[str, Status]:
        """Poll until all these workers are in one of these words; no other end and no absence may be seen before."""

        def look() -> dict[str, Status] | None:
            answer = dict(submitter.poll(workers))
            for status in answer.values():
                assert status.word in (*LIVE, "unknown", *words), status
            there = [answer.get(one.worker, Status("unknown")) for one in workers]
            return answer if all(status.word in words for status in there) else None

        return wait(look, f"{words} of {workers}", bench.timeout_s)

    def test_submitted_workers_are_there_with_ids(self, bench: Bench) -> None:
        bench.behave("stay")
        submitter = bench.make()
        workers = self.submit(bench, submitter, 3)
        assert all(one.batch_id and len(one.batch_id) <= 200 for one in workers)
        assert len({one.batch_id for one in workers}) == 3
        self.until(bench, submitter, workers, *LIVE)
        self.until(bench, submitter, workers, "running")

    def test_a_good_end(self, bench: Bench) -> None:
        bench.behave("leave")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        answer = self.until(bench, submitter, workers, "finished")
        assert answer[workers[0].worker].exit_code in (0, None)

    def test_a_bad_end(self, bench: Bench) -> None:
        bench.behave("fail")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        answer = self.until(bench, submitter, workers, "failed")
        assert answer[workers[0].worker].exit_code == 7
        assert answer[workers[0].worker].message

    def test_an_end_is_told_again(self, bench: Bench) -> None:
        bench.behave("fail")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "failed")
        assert dict(submitter.poll(workers))[workers[0].worker].word == "failed"
        assert dict(bench.make().poll(workers))[workers[0].worker].word == "failed"

    def test_what_was_never_there_has_not_failed(self, bench: Bench) -> None:
        submitter = bench.make()
        answer = dict(submitter.poll([Known("w999999", "999999999")]))
        assert answer.get("w999999", Status("unknown")).word in ("absent", "unknown")

    def test_poll_of_nothing(self, bench: Bench) -> None:
        assert dict(bench.make().poll([])) == {}

    def test_another_object_follows_the_same_workers(self, bench: Bench) -> None:
        bench.behave("stay")
        workers = self.submit(bench, bench.make(), 2)
        again = bench.make()
        self.until(bench, again, workers, "running")
        again.cancel(workers, 5.0)
        self.until(bench, again, workers, "cancelled")

    def test_cancel(self, bench: Bench) -> None:
        bench.behave("stay")
        submitter = bench.make()
        workers = self.submit(bench, submitter, 2)
        self.until(bench, submitter, workers, "running")
        submitter.cancel(workers[:1], 5.0)
        self.until(bench, submitter, workers[:1], "cancelled")
        assert dict(submitter.poll(workers))[workers[1].worker].word == "running"

    def test_cancel_at_once_after_submission(self, bench: Bench) -> None:
        bench.behave("stay")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        submitter.cancel(workers, 5.0)
        self.until(bench, submitter, workers, "cancelled")

    def test_cancel_of_what_has_ended_or_is_not_there(self, bench: Bench) -> None:
        bench.behave("leave")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "finished")
        submitter.cancel([*workers, Known("w999999", "999999999")], 1.0)
        assert dict(submitter.poll(workers))[workers[0].worker].word == "finished"

    def test_find_by_labels(self, bench: Bench) -> None:
        bench.behave("stay")
        mine, other = bench.make(), bench.make("another-queue")
        orders = [bench.order(mine), bench.order(mine)]
        workers = known(orders, dict(mine.submit(orders)))
        self.submit(bench, other)
        found = wait(
            lambda: (seen := dict(bench.make().find(mine.place.labels()))) and len(seen) >= 2 and seen,
            "both are found",
            bench.timeout_s + mine.visible_after_s,
        )
        assert set(found) == {one.worker for one in orders}
        assert {found[one.worker].batch_id for one in workers} == {one.batch_id for one in workers}
        assert all(found[one.worker].key in ("", one.labels["key"]) for one in orders)

    def test_find_sees_ended_workers_or_nothing_false(self, bench: Bench) -> None:
        bench.behave("leave")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "finished")
        assert all(not one.running for one in dict(submitter.find(submitter.place.labels())).values())

    def test_logs(self, bench: Bench) -> None:
        bench.behave("fail")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "failed")
        logs = submitter.logs(workers[0])
        assert "words on stdout" in logs.stdout
        assert "words on stderr" in (logs.stderr or logs.stdout)
        short = submitter.logs(workers[0], 5)
        assert len(short.stdout) <= 5
        assert submitter.logs(Known("w999999", "999999999")).stdout == ""

    def test_forget_removes_what_was_kept(self, bench: Bench) -> None:
        bench.behave("leave")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "finished")
        submitter.forget([workers[0].worker])
        submitter.forget([workers[0].worker, "w999999"])
        left = [path for path in bench.files_dir.rglob("*") if workers[0].worker in path.parts]
        assert left == []

    def test_secrets_are_in_no_command_line_and_no_file_for_others(self, bench: Bench) -> None:
        bench.behave("stay")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "running")
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert b"a-secret-token" not in path.read_bytes()
            except OSError:
                continue
        for path in bench.files_dir.rglob("*"):
            if path.is_file() and b"a-secret-token" in path.read_bytes():
                assert path.stat().st_mode & 0o077 == 0

    def test_what_never_fits_is_refused_for_ever(self, bench: Bench) -> None:
        submitter = bench.make()
        capacity = submitter.capacity()
        if capacity is None:
            pytest.skip("this place does not know its size")
        order = bench.order(submitter, Shape(capacity.node.cores + 1, 100, 600, 10))
        result = dict(submitter.submit([order]))[order.worker]
        assert isinstance(result, NotSubmitted)
        assert result.for_ever
        assert result.why
        assert order.worker not in dict(submitter.find(submitter.place.labels()))

    def test_capacity_shrinks_and_grows(self, bench: Bench) -> None:
        submitter = bench.make()
        before = submitter.capacity()
        if before is None or before.free is None:
            pytest.skip("this place does not know its size")
        bench.behave("stay")
        workers = self.submit(bench, submitter)
        during = submitter.capacity()
        assert during is not None
        assert during.node.cores == before.node.cores
        assert during.free is None or during.free.cores == before.free.cores - 1
        submitter.cancel(workers, 5.0)
        self.until(bench, submitter, workers, "cancelled")
        after = submitter.capacity()
        assert after is not None
        assert after.free is not None
        assert after.free.cores == before.free.cores

    def test_unknown_options_are_refused(self, bench: Bench) -> None:
        with pytest.raises(InvalidOptions, match="no_such_option"):
            read_options(bench.submitter.Options, {**bench.block(), "no_such_option": 1})

    def test_close_leaves_workers_alone(self, bench: Bench) -> None:
        bench.behave("stay")
        submitter = bench.make()
        workers = self.submit(bench, submitter)
        self.until(bench, submitter, workers, "running")
        submitter.listen(lambda: None)
        submitter.close()
        assert dict(bench.make().poll(workers))[workers[0].worker].word == "running"


def wait(look: Callable[[], T | None], what: str, timeout_s: float) -> T:
    """Look until there is something to see."""
    until = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.02)
    return seen
