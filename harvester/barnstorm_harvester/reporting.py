"""Tells the server of workers, and learns from its answer whose pilots have come."""

import time
from collections.abc import Sequence
from typing import get_args

from barnstorm.api.harvester import HarvesterApi
from barnstorm.model.workers import WorkerReport, WorkerState

from .roster import Roster
from .store import Worker

_AT_ONCE = 500
_NOT_KNOWN = "not known to the server"


class Reporter:
    """Sends what is new of a queue's workers. What could not be sent stays marked, over a restart too."""

    def __init__(self, api: HarvesterApi, roster: Roster) -> None:
        self._api = api
        self._roster = roster

    def flush(self, demand_version: int) -> None:
        """Send all that is new. Raises ApiError or Unreachable; what was answered by then counts as told."""
        while dirty := self._roster.dirty()[:_AT_ONCE]:
            self._send(dirty, demand_version)

    def ask(self, demand_version: int) -> bool:
        """Ask after workers whose pilot has not come yet; true where one has come since, or is unknown there."""
        awaited = [worker for worker in self._roster.awaited() if worker.worker]
        before = len(awaited)
        for first in range(0, len(awaited), _AT_ONCE):
            self._send(awaited[first : first + _AT_ONCE], demand_version)
        return sum(not worker.pilot for worker in awaited) < before

    def _send(self, workers: Sequence[Worker], demand_version: int) -> None:
        now = time.time()
        answers = {word["worker"]: word for word in self._api.report([report_of(worker, now) for worker in workers])}
        told = [worker for worker in workers if worker.dirty]
        for worker in workers:
            worker.dirty = False
            word = answers.get(worker.worker, {})
            pilot = _NOT_KNOWN if word and word.get("state") is None else word.get("pilot")
            if pilot and not worker.pilot:
                self._roster.came(worker, str(pilot), now, demand_version)
        self._roster.save(told)


def report_of(worker: Worker, now: float) -> WorkerReport:
    """A worker's state in the server's words; our finer ones are all `planned` to it."""
    state: WorkerState = "planned"
    for known in get_args(WorkerState):
        if worker.state == known:
            state = known
    return WorkerReport(
        worker.worker,
        state,
        worker.batch_id,
        worker.node,
        worker.exit_code,
        worker.unknown_since is not None and not worker.ended,
        worker.message[:1000],
        None if worker.started_at is None else max(0.0, now - worker.started_at),
        None if worker.ended_at is None else max(0.0, now - worker.ended_at),
        worker.log_tail if worker.ended else "",
    )
