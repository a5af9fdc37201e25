"""A small load: users who submit and pilots that work, all patient with a server that is away."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.services.server import Server

from barnstorm.model.ids import parse_attempt, parse_job, spans
from barnstorm.model.pilots import Heartbeat, HeldAttempt, LeaseRequest, Report

from .cast import BIG, Cast, FakePilot, array

PATIENCE_S = 60.0


@dataclass
class Load:
    """`submitters` × `tasks` tasks of `jobs` jobs each, run by `pilots`. What everybody was told is noted."""

    cast: Cast
    pilots: int = 3
    submitters: int = 2
    tasks: int = 6
    jobs: int = 8
    accepted: dict[str, int] = field(default_factory=dict)  # by the client's key
    executed: list[tuple[str, str]] = field(default_factory=list)  # attempt, pilot
    stale: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._workers = [self.cast.pilot(PATIENCE_S) for _ in range(self.pilots)]

    @property
    def server(self) -> Server:
        return self.cast.server

    def start(self) -> "Load":
        calls: list[tuple[Callable[[Any], None], object]] = [(self._submit, n) for n in range(self.submitters)]
        calls += [(self._work, one) for one in self._workers]
        self._threads = [threading.Thread(target=self._guarded, args=call, daemon=True) for call in calls]
        for thread in self._threads:
            thread.start()
        return self

    @property
    def is_over(self) -> bool:
        """Whether all that was to be submitted was, and has ended; or something went wrong."""
        if self.errors:
            return True
        if len(self.accepted) < self.submitters * self.tasks:
            return False
        ada = self.server.people(self.cast.ada_token, PATIENCE_S)
        return all(task["ended_at"] is not None for task in ada.tasks())

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 30)
        if self.errors:
            raise self.errors[0]

    def _guarded(self, call: Callable[[Any], None], argument: object) -> None:
        try:
            call(argument)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.errors.append(error)
            self._stop.set()
        finally:
            self.server.hang_up()

    def _submit(self, number: int) -> None:
        ada = self.server.people(self.cast.ada_token, PATIENCE_S)
        before: list[int] = []
        for n in range(self.tasks):
            key = f"{number}-{n}"
            view = ada.submit(self.cast.spec(over=array(self.jobs), after=before[-1:] if n % 3 == 2 else []), key)
            before.append(int(view["id"]))
            self.accepted[key] = int(view["id"])

    def _work(self, pilot: FakePilot) -> None:
        dice = random.Random(pilot.id)
        held: set[str] = set()
        while not self._stop.is_set():
            reports = [Report(attempt, "succeeded") for attempt in sorted(held) if dice.random() < 0.7]
            request = LeaseRequest(BIG, 3, held=sorted(held), reports=reports, wait_s=0.2)
            answer = pilot.api.lease(pilot.id, request)
            for result in answer.results:
                held.discard(result.attempt)
                if result.status == "stale":
                    self.stale.append(result.attempt)
            for grant in answer.grants:
                assert grant.attempt not in held
                self.executed.append((grant.attempt, pilot.id))
                held.add(grant.attempt)
            if dice.random() < 0.3:
                told = [HeldAttempt(attempt, "running") for attempt in sorted(held)]
                commands = pilot.api.heartbeat(pilot.id, Heartbeat(told, "busy")).commands
                assert not commands, commands
            if held and dice.random() < 0.3:
                pilot.api.put_log(parse_attempt(min(held)), "stdout", 0, b"a line\n")

    def check(self) -> None:
        """All that was accepted is there and has ended well; each job ended once; no attempt was anybody else's."""
        ada = self.server.people(self.cast.ada_token, PATIENCE_S)
        tasks = {task["id"]: task for task in ada.tasks()}
        assert set(tasks) == set(self.accepted.values())
        assert len(tasks) == self.submitters * self.tasks
        assert {task["state"] for task in tasks.values()} == {"finished"}
        assert set(dict(self.executed).items()) == set(self.executed)  # no attempt was run by two
        for job in ada.jobs():
            attempts = ada.job(job["id"])["attempt_list"]
            assert [one["number"] for one in attempts] == list(range(1, len(attempts) + 1))
            assert [one["state"] for one in attempts].count("succeeded") == 1
        assert self.ends() == Counter({str(parse_job(job["id"])): 1 for job in ada.jobs()})
        assert not self.stale

    def ends(self) -> Counter[str]:
        """How often each job is said to have ended."""
        ada = self.server.people(self.cast.ada_token, PATIENCE_S)
        said: Counter[str] = Counter()
        at, ids = 0, []
        while items := ada.events(at, wait_s=0)["items"]:
            for one in items:
                ids.append(one["id"])
                if one["kind"] == "job" and one["state"] in ("finished", "failed", "cancelled", "closed"):
                    said.update(f"{one['task']}.{index}" for index in _indices(one["jobs"]))
            at = items[-1]["id"]
        assert ids == sorted(set(ids))
        return said


def _indices(text: str) -> list[int]:
    return [index for span in spans(text) for index in span]
