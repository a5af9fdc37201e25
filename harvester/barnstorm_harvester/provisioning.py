"""Turns decisions into workers, so that a crash at any point neither loses nor doubles one.

Written down, then planned with the server, then written down as maybe submitted, then submitted, then written down as
submitted. What was cut off in between is healed before anything else is submitted: see `heal`.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barnstorm.api.harvester import HarvesterApi
from barnstorm.model.queue import QueueConfig, WorkerSlot, lanes_of, worker_of
from barnstorm.model.workers import WorkerPlan, WorkersPlanned
from barnstorm_plugins.submitters.base import (
    NotSubmitted,
    Options,
    Place,
    Submitted,
    Submitter,
    SubmitterBusy,
    SubmitterRefused,
    WorkerOrder,
)

from .faultpoints import reach
from .foreign import asking
from .journal import Journal
from .roster import Roster
from .rules.backoff import FOR_EVER, FOR_NOW, Pause, after_failure, after_success
from .rules.scale import ScaleDecision
from .settings import Settings
from .store import Worker


@dataclass
class Target:
    """Where workers go: a queue, its submitter, and the options of each of its lanes."""

    config: QueueConfig
    place: Place
    submitter: Submitter
    options: Mapping[str, Options]


class Provisioner:
    """Submits workers for one queue."""

    def __init__(self, api: HarvesterApi, settings: Settings, roster: Roster, journal: Journal) -> None:
        self._api = api
        self._server_url = settings.server
        self._ca_file = str(settings.ca_file.absolute()) if settings.ca_file else ""
        self._roster = roster
        self._journal = journal
        self.pause = Pause()

    def carry_out(self, target: Target, decisions: Sequence[ScaleDecision]) -> None:
        """Submit what was decided. Raises ApiError or Unreachable where the server plans nothing now."""
        for decision in decisions:
            if decision.change > 0 and decision.shape is not None:
                wanted = self._intend(target, decision)
                for first in range(0, len(wanted), target.submitter.max_batch):
                    if self.pause.hinders(time.time()):
                        return
                    self._launch(target, wanted[first : first + target.submitter.max_batch])

    def _intend(self, target: Target, decision: ScaleDecision) -> list[Worker]:
        """The workers of a decision: ones that were planned before and never submitted, then new ones."""
        alike = [one for one in self._roster.unsubmitted() if (one.lane, one.shape) == (decision.lane, decision.shape)]
        workers = alike[: decision.change]
        assert decision.shape is not None
        fresh = [
            Worker(
                uuid.uuid4().hex,
                target.config.name,
                decision.lane,
                decision.shape,
                why=decision.why,
                planned_at=time.time(),
            )
            for _ in range(decision.change - len(workers))
        ]
        self._roster.save(fresh)
        return workers + fresh

    def _plan(self, queue: str, workers: Sequence[Worker]) -> dict[str, str]:
        """Make workers known to the server; gives their join tokens. A worker planned before stays the same one."""
        reach("before_plan")
        plans = [WorkerPlan(one.key, one.lane, one.shape, one.why[:500]) for one in workers]
        answers = {one.key: one for one in self._api.plan(queue, WorkersPlanned(self._api.name, plans))}
        reach("after_plan")
        for worker in workers:
            worker.worker = answers[worker.key].worker
        return {key: answer.join_token for key, answer in answers.items()}

    def _launch(self, target: Target, workers: Sequence[Worker]) -> None:
        tokens = self._plan(target.config.name, workers)
        now = time.time()
        for worker in workers:
            worker.state, worker.submitted_at = "submitting", now
        self._roster.save(workers)
        reach("before_submit")
        answer = self._submit(target, [self._order(target, worker, tokens[worker.key]) for worker in workers])
        reach("after_submit")
        for worker in workers:
            self._record(worker, answer.get(worker.worker))
        self._roster.save(workers)
        reach("after_record")
        self._judge([one for one in answer.values() if isinstance(one, NotSubmitted)], len(workers))

    def _order(self, target: Target, worker: Worker, token: str) -> WorkerOrder:
        lane = next(lane for lane in lanes_of(target.config) if lane.name == worker.lane)
        kind = worker_of(target.config, lane)
        labels = {**target.place.labels(), "worker": worker.worker, "key": worker.key}
        return WorkerOrder(
            worker.worker,
            target.config.name,
            worker.lane,
            worker.shape,
            target.options[worker.lane],
            labels,
            self._server_url,
            token,
            self._ca_file,
            target.config.pilot,
            kind.idle_s if isinstance(kind, WorkerSlot) else None,
        )

    def _submit(self, target: Target, orders: Sequence[WorkerOrder]) -> Mapping[str, Submitted | NotSubmitted]:
        began = time.monotonic()
        try:
            answer = target.submitter.submit(orders)
        except (SubmitterBusy, SubmitterRefused) as error:
            for_ever = isinstance(error, SubmitterRefused)
            return {order.worker: NotSubmitted(str(error), for_ever) for order in orders}
        except Exception as error:  # noqa: BLE001 - foreign code: after an error it did not foresee the outcome is unknown
            self._journal.crash("the submitter failed; workers may have been submitted", workers=len(orders))
            self.pause = after_failure(self.pause, f"{type(error).__name__}: {error}", FOR_NOW, time.time())
            return {}
        self._journal.debug("submit call", workers=len(orders), took_s=time.monotonic() - began)
        return answer

    def _judge(self, refused: Sequence[NotSubmitted], asked: int) -> None:
        """One call that failed is one failure, however many workers it was about."""
        if len(refused) < asked:
            self.pause = after_success() if refused or not self.pause.hinders(time.time()) else self.pause
        if refused:
            worst = next((one for one in refused if one.for_ever), refused[0])
            kind = FOR_EVER if worst.for_ever else FOR_NOW
            self.pause = after_failure(self.pause, worst.why, kind, time.time())

    def _record(self, worker: Worker, answer: Submitted | NotSubmitted | None) -> None:
        now = time.time()
        if isinstance(answer, Submitted):
            worker.batch_id, worker.node = answer.batch_id, answer.node
            worker.state, worker.dirty = "running" if answer.running else "submitted", True
            worker.started_at = now if answer.running else None
            self._journal.info("worker submitted", worker=worker.worker, batch_id=worker.batch_id, lane=worker.lane)
        elif isinstance(answer, NotSubmitted):
            self._journal.warning(
                "worker not submitted", worker=worker.worker, why=answer.why, for_ever=answer.for_ever
            )
            worker.state, worker.message, worker.submitted_at = "planned", answer.why[:1000], None
            if answer.for_ever:
                worker.state, worker.ended_at, worker.dirty = "failed", now, True

    def heal(self, target: Target) -> bool:
        """Find out about submissions whose answer is missing. False while that is not possible.

        Raises SubmitterBusy: then nothing is known, and nothing may be submitted.
        """
        lost = self._roster.in_state("submitting")
        if not lost:
            return True
        settled = time.time() - target.submitter.visible_after_s
        with asking(self._journal, "find"):
            found = target.submitter.find(target.place.labels())
        for worker in lost:
            there = found.get(worker.worker)
            if there is not None and there.key in ("", worker.key):
                self._journal.info("found a worker whose submission had no answer", worker=worker.worker)
                self._record(worker, there)
            elif (worker.submitted_at or 0.0) <= settled:
                self._journal.info("a submission without answer never happened", worker=worker.worker)
                worker.state, worker.submitted_at = "planned", None
        self._roster.save(lost)
        return not self._roster.in_state("submitting")

    def name_all(self, queue: str) -> None:
        """Learn the ids of workers that the server may know and that have none here yet. Raises as the server does."""
        nameless = [worker for worker in self._roster.unsubmitted() if not worker.worker]
        if nameless:
            self._plan(queue, nameless)
            for worker in nameless:
                worker.state = "planned"
            self._roster.save(nameless)

    def withdraw(self, queue: str, older_than_s: float) -> None:
        """End workers that were planned, never submitted, and not wanted for a while. Raises as the server does."""
        before = time.time() - older_than_s
        unwanted = [worker for worker in self._roster.unsubmitted() if worker.planned_at < before]
        if unwanted:
            self.name_all(queue)
        for worker in unwanted:
            worker.state, worker.ended_at, worker.dirty = "cancelled", time.time(), True
            worker.message = worker.message or "not wanted any more before it was submitted"
        self._roster.save(unwanted)
