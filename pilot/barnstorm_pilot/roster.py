"""The attempts of this pilot: waiting for room, running, reported; and what is done with grants and room."""

import time
from collections.abc import Iterable
from typing import Callable, Optional

from barnstorm.model.ids import InvalidId
from barnstorm.model.pilots import Grant, HeldAttempt, LeaseAnswer, Report, ReportResult, TaskBody

from . import faultpoints
from .ending import Killed
from .held import Ended, Outbox
from .host import Host
from .leases import GIVE_BACK_S, SHORT_S, Wish, wish
from .run import Run

# So many attempts in a row that ended by these faults mean that the node is sick.
NODE_FAULTS = ("work_dir", "disk_full")
MOST_FAILURES = 3


class Roster:
    """All that the pilot holds.

    `changed` is called whenever there may be something to start, ask or report; `began` for each attempt that got room;
    `sick` when attempt after attempt failed by the node's fault.
    """

    def __init__(
        self, host: Host, changed: Callable[[], None], began: Callable[[Run], None], sick: Callable[[str], None]
    ) -> None:
        self.host = host
        self.runs: dict[str, Run] = {}
        self.outbox = Outbox()
        self._ended = Ended()
        self._waiting: dict[str, Run] = {}
        self._changed, self._began, self._sick = changed, began, sick
        self._failures = 0
        self.busy_until = time.monotonic()
        host.on_room, host.on_clean, host.on_report, host.on_gone = self._room, self._clean, self._report, self._forget

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def waiting(self) -> int:
        """Attempts that are here and have not begun."""
        return len(self._waiting)

    @property
    def begun(self) -> list[Run]:
        """Attempts that have begun and are not reported."""
        return [run for run in self.runs.values() if run.state != "leased" and not run.is_reported]

    def held(self) -> list[HeldAttempt]:
        """Every attempt whose report has not been answered, as a heartbeat names it."""
        return [run.held() for run in self.runs.values()]

    # --- grants ---

    def take(self, answer: LeaseAnswer, draining: bool) -> None:
        """New attempts. One that is here already, or whose end the server knows, came twice and is not begun again."""
        for grant in answer.grants:
            if grant.attempt in self.runs or grant.attempt in self._ended:
                continue
            faultpoints.reach("after_grant")
            body = answer.tasks.get(grant.attempt.partition(".")[0])
            if body is None:
                self.host.journal.error("grant without its task", attempt=grant.attempt)
                continue
            self._add(grant, body, draining)
        if answer.grants:
            self._changed()

    def _add(self, grant: Grant, body: TaskBody, draining: bool) -> None:
        try:
            run = Run(self.host, grant, body)
        except InvalidId as error:
            self.host.journal.error("grant with no attempt's id", why=error)
            return
        self.runs[run.name] = run
        if draining:
            run.give_back("the pilot takes no more work")
        else:
            self._waiting[run.name] = run

    def start_what_fits(self) -> None:
        """Begin waiting attempts, oldest first, as far as there is room. A small one may pass a big one."""
        pool = self.host.pool
        for run in list(self._waiting.values()):
            if run.name not in self._waiting:
                continue  # given back while another one failed to begin
            if pool.lacks(run.grant.needs) is None:
                del self._waiting[run.name]
                gpus = pool.take(run.name, run.grant.needs)
                run.begin(gpus)
                if not run.is_reported:
                    self._began(run)
            elif pool.cores == 0:
                return

    def give_back_old(self) -> None:
        """Give back attempts that have waited too long for room: others may have it."""
        late = time.monotonic() - GIVE_BACK_S
        self._give_back(
            [run for run in self._waiting.values() if run.since < late], "no room on this pilot for a while"
        )

    def give_back_all(self, why: str) -> None:
        """Give back whatever has not begun."""
        self._give_back(list(self._waiting.values()), why)

    def _give_back(self, runs: Iterable[Run], why: str) -> None:
        for run in runs:
            self._waiting.pop(run.name, None)
            run.give_back(why)

    # --- reports ---

    def settle(self, results: Iterable[ReportResult]) -> None:
        """The server's answers to reports."""
        for result in results:
            if result.status == "stale":
                self.host.journal.warning("report was stale", attempt=result.attempt, why=result.why)
            self.outbox.remove(result.attempt)
            self._forget(result.attempt)

    def wish(self) -> Wish:
        """What to ask of the server now."""
        pool = self.host.pool
        free = pool.free(int(self.host.walltime_left_s))
        # A slot whose job has already lasted long needs no successor at hand.
        long = sum(run.grant.needs.cores for run in self.begun if run.wall_s > SHORT_S)
        return wish(free, pool.total.cores - long, self.waiting, self.host.pace)

    # --- orders ---

    def kill(self, attempt: str, why: str) -> None:
        """A person ended the job."""
        run = self.runs.get(attempt)
        if run is not None and not run.is_reported:
            self.host.journal.info("kill", attempt=attempt, why=why)
            self._waiting.pop(attempt, None)
            run.kill(Killed("killed", why or "killed"), self.host.settings.grace_s)

    def drop(self, attempt: str, why: str) -> None:
        """The attempt is not ours."""
        run = self.runs.get(attempt)
        if run is not None:
            self.host.journal.warning("stop: the attempt is ours no longer", attempt=attempt, why=why)
            self._waiting.pop(attempt, None)
            self.outbox.remove(attempt)
            run.drop(self.host.settings.grace_s)

    def end_all(self, why: Killed, grace_s: float) -> None:
        """End all payloads for one reason; what has not begun goes back."""
        self.give_back_all(why.message)
        for run in self.begun:
            run.kill(why, grace_s)

    def drop_all(self) -> None:
        """Nothing here is ours any more."""
        for name in list(self.runs):
            self._waiting.pop(name, None)
            self.outbox.remove(name)
            self.runs[name].drop(0.0)

    # --- what runs tell ---

    def _room(self, attempt: str) -> None:
        self.host.pool.release(attempt)
        self._changed()

    def _clean(self, attempt: str) -> None:
        self.host.pool.cleaned(attempt)
        self._changed()

    def _report(self, report: Report, started: Optional[float], ended: float) -> None:
        self.host.journal.info(
            "attempt ended", attempt=report.attempt, state=report.state, fault=report.fault, exit_code=report.exit_code,
            signal=report.signal, wall_s=None if started is None else ended - started,
        )  # fmt: skip
        self.outbox.add(report, started, ended)
        self._failures = self._failures + 1 if report.fault in NODE_FAULTS else 0
        if self._failures == MOST_FAILURES:
            self._sick(report.message)
        self._changed()

    def _forget(self, attempt: str) -> None:
        if self.runs.pop(attempt, None) is not None:
            self._ended.add(attempt)
            self.busy_until = time.monotonic()
            self._changed()
