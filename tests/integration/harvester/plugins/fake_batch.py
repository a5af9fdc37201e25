"""A batch system made of files, which misbehaves as a test wants it to.

    <files_dir>/workers/<id>.json   what the batch system has: {"labels", "word", "exit_code", …}; a test changes it
    <files_dir>/mood.json           how it behaves: {"submit": MOOD, "poll": MOOD, "find": MOOD, "cancel": MOOD}
    <files_dir>/calls               a line a call

Moods: ok · busy (says come again) · refuse (says never) · crash (an error of its own) · lose (does it, and no answer
comes) · silent (answers, but leaves all workers out) · hang (as a command that never ends).
"""

import json
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from barnstorm_plugins.submitters import base
from barnstorm_plugins.submitters.base import Known, NotSubmitted, Status, Submitted, SubmitterBusy, SubmitterRefused


@dataclass
class FakeOptions(base.Options):
    partition: str = ""


class FakeSubmitter(base.Submitter):
    Options: ClassVar[type[base.Options]] = FakeOptions
    poll_s = 0.05
    absent_grace_s = 0.3
    max_batch = 4

    def submit(self, orders: Sequence[base.WorkerOrder]) -> Mapping[str, Submitted | NotSubmitted]:
        mood = self._mood("submit")
        for order in orders:
            facts = {"labels": dict(order.labels), "word": "waiting", "lane": order.lane}
            facts["partition"] = order.options.partition if isinstance(order.options, FakeOptions) else None
            path = self._path(order.worker)
            assert not path.exists(), f"{order.worker} submitted twice"
            _write(path, facts)
            self._call("submitted", order.worker)
        if mood == "lose":
            raise ConnectionResetError("the answer was lost")
        return {order.worker: Submitted(f"b-{order.worker}") for order in orders}

    def poll(self, workers: Sequence[Known]) -> Mapping[str, Status]:
        mood = self._mood("poll")
        if mood == "silent":
            return {}
        there = self._there()
        answer = {}
        for known in workers:
            facts = there.get(known.worker, {"word": "absent"})
            answer[known.worker] = Status(facts["word"], facts.get("exit_code"), message=facts.get("message", ""))
        return answer

    def cancel(self, workers: Sequence[Known], grace_s: float) -> None:
        self._mood("cancel")
        for known in workers:
            facts = self._there().get(known.worker)
            if facts is not None and facts["word"] in ("waiting", "running"):
                _write(self._path(known.worker), {**facts, "word": "cancelled"})

    def find(self, labels: Mapping[str, str]) -> Mapping[str, Submitted]:
        self._mood("find")
        return {
            worker: Submitted(f"b-{worker}", facts["word"] == "running", key=facts["labels"]["key"])
            for worker, facts in self._there().items()
            if labels.items() <= facts["labels"].items()
        }

    def logs(self, worker: Known, limit: int = 16_384) -> base.Logs:
        self._mood("logs")
        return base.Logs()

    def capacity(self) -> None:
        self._mood("capacity")

    def forget(self, workers: Iterable[str]) -> None:
        self._mood("forget")
        for worker in workers:
            self._path(worker).unlink(missing_ok=True)

    def _there(self) -> dict[str, dict[str, Any]]:
        folder = self.place.files_dir / "workers"
        return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}

    def _path(self, worker: str) -> Path:
        return self.place.files_dir / "workers" / f"{worker}.json"

    def _call(self, *words: str) -> None:
        with open(self.place.files_dir / "calls", "a", encoding="ascii") as file:
            file.write(" ".join(words) + "\n")

    def _mood(self, call: str) -> str:
        self._call(call)
        path = self.place.files_dir / "mood.json"
        mood = str(json.loads(path.read_text()).get(call, "ok")) if path.exists() else "ok"
        if mood == "busy":
            raise SubmitterBusy("the scheduler is overloaded")
        if mood == "refuse":
            raise SubmitterRefused("no such account: rubin")
        if mood == "crash":
            raise ZeroDivisionError("a mistake in the plugin")
        if mood == "hang":
            threading.Event().wait()
        return mood


def _write(path: Path, facts: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
    fresh.write_text(json.dumps(facts))
    fresh.rename(path)
