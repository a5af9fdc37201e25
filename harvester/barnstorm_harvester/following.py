"""Keeps workers' states as the batch system tells them, and ends workers that somebody wants ended."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barnstorm_plugins.submitters.base import Known, Status, Submitter, SubmitterBusy

from .foreign import asking
from .journal import Journal
from .roster import Roster
from .rules.backoff import EARLY_END, Pause, after_failure, after_success
from .rules.lifecycle import Life, advance
from .store import UNSUBMITTED, Worker

_TAIL_BYTES = 8_192
_CANCEL_AGAIN_S = 60.0
_FORGET_AT_ONCE = 500
_EARLY_S = 60.0


@dataclass
class PollResult:
    """How the last look at the batch system went. Times are epoch seconds."""

    at: float = 0.0
    took_s: float = 0.0
    error: str = ""


class Follower:
    """Follows the workers of one queue."""

    def __init__(self, roster: Roster, journal: Journal) -> None:
        self._roster = roster
        self._journal = journal
        self.last = PollResult()
        self.pause = Pause()

    def look(self, submitter: Submitter) -> bool:
        """Ask the batch system about all workers it has; true where a worker ended."""
        workers = self._roster.in_state("submitted", "running")
        if not workers:
            return False
        began = time.monotonic()
        answer, error = self._ask(submitter, workers)
        now = time.time()
        self.last = PollResult(now, time.monotonic() - began, error)
        changed = [
            one for one in workers if self._apply(one, answer.get(one.worker) or Status("unknown"), submitter, now)
        ]
        self._roster.save(changed)
        return any(worker.ended for worker in changed)

    def _ask(self, submitter: Submitter, workers: Sequence[Worker]) -> tuple[Mapping[str, Status], str]:
        try:
            with asking(self._journal, "poll"):
                return submitter.poll([_known(worker) for worker in workers]), ""
        except SubmitterBusy as busy:
            self._journal.warning("no answer of the batch system", why=busy)
            return {}, str(busy)

    def _apply(self, worker: Worker, status: Status, submitter: Submitter, now: float) -> bool:
        """Bring a worker up to date; true where something of it changed."""
        before = Life(worker.state, worker.missing, worker.missing_since, worker.unknown_since)
        life = advance(before, status.word, now, submitter.absent_grace_s)
        facts = (worker.node, worker.message)
        if status.word != "unknown":
            worker.node = status.node or worker.node
            worker.message = status.message if status.word != "absent" or life.ended else worker.message
        if life == before and facts == (worker.node, worker.message):
            return False
        worker.state, worker.missing = life.state, life.missing
        worker.missing_since, worker.unknown_since = life.missing_since, life.unknown_since
        if worker.state == "running" and worker.started_at is None:
            worker.started_at = now - (status.started_ago_s or 0.0)
        if worker.ended:
            self._end(worker, status, submitter, now)
        told = life.state != before.state or (life.unknown_since is None) != (before.unknown_since is None)
        worker.dirty = worker.dirty or told or facts != (worker.node, worker.message)
        if told:
            self._journal.info(
                f"worker {worker.state}" if life.unknown_since is None else "worker unknown",
                worker=worker.worker,
                batch_id=worker.batch_id,
                exit_code=worker.exit_code,
                message=worker.message,
            )
        return True

    def _end(self, worker: Worker, status: Status, submitter: Submitter, now: float) -> None:
        worker.ended_at = now - (status.ended_ago_s or 0.0)
        worker.exit_code = status.exit_code
        if worker.state == "lost":
            worker.message = status.message or "the batch system does not have it any more"
        self._judge(worker, status, now)
        worker.log_tail = self._tail(worker, submitter)

    def _judge(self, worker: Worker, status: Status, now: float) -> None:
        """Workers that fail as soon as they start are not followed by others at full speed."""
        early = worker.ended_at is not None and worker.ended_at - (worker.started_at or now) < _EARLY_S
        if worker.state == "finished":
            self.pause = after_success()
        elif worker.state in ("failed", "lost") and early and status.cause != "preempted" and worker.kill_at is None:
            self.pause = after_failure(self.pause, f"workers fail early: {worker.message}", EARLY_END, now)

    def _tail(self, worker: Worker, submitter: Submitter) -> str:
        """The end of a worker's own output; an end without it is still an end."""
        try:
            with asking(self._journal, "logs"):
                logs = submitter.logs(_known(worker), _TAIL_BYTES)
        except SubmitterBusy as busy:
            self._journal.warning("no log of a worker", worker=worker.worker, why=busy)
            return ""
        parts = [f"--- {name} ---\n{text}" for name, text in (("stdout", logs.stdout), ("stderr", logs.stderr)) if text]
        return "\n".join(parts)[-65_536:]

    def end(self, workers: Sequence[Worker], submitter: Submitter | None, grace_s: float, why: str) -> None:
        """End workers: those never submitted at once, the others through the batch system, asked now and then."""
        now = time.time()
        unsubmitted = [worker for worker in workers if worker.state in UNSUBMITTED and worker.worker]
        for worker in unsubmitted:
            worker.state, worker.message, worker.ended_at, worker.dirty = "cancelled", why, now, True
        due = [
            one
            for one in workers
            if one.state in ("submitted", "running") and now - (one.kill_at or 0) > _CANCEL_AGAIN_S
        ]
        if due and submitter is not None:
            try:
                with asking(self._journal, "cancel"):
                    submitter.cancel([_known(worker) for worker in due], grace_s)
            except SubmitterBusy as busy:
                self._journal.warning("the batch system did not take a cancellation; asking again", why=busy)
                due = []
            for worker in due:
                worker.kill_at = now
                self._journal.info("worker asked to end", worker=worker.worker, batch_id=worker.batch_id, why=why)
        self._roster.save([*unsubmitted, *due])

    def clean(self, submitter: Submitter, keep_s: float) -> None:
        """Forget workers that ended longer than `keep_s` ago, their files included."""
        old = self._roster.expired(time.time() - keep_s)[:_FORGET_AT_ONCE]
        if not old:
            return
        try:
            with asking(self._journal, "forget"):
                submitter.forget([worker.worker for worker in old if worker.worker])
        except SubmitterBusy as busy:
            self._journal.warning("files of ended workers stay for now", why=busy)
            return
        self._roster.drop(old)
        self._journal.debug("cleaned", workers=len(old))


def _known(worker: Worker) -> Known:
    return Known(worker.worker, worker.batch_id, worker.state)
