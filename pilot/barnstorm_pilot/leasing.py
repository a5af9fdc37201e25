"""The two kinds of lease calls: one that waits for work, and one that brings reports and never waits.

They use a connection each, so that a payload's end is told at once though a call for work is waiting at the server.
"""

import time
from typing import Optional, Protocol

from barnstorm.model.pilots import LeaseAnswer, LeaseRequest, Report

from . import faultpoints
from .host import Host
from .leases import NOTHING, poll_wait_s
from .line import Line, is_passing
from .roster import Roster

# A call carries at most so much: the server has a limit for bodies, and other pilots wait their turn.
MOST_REPORTS = 100
MOST_BYTES = 2 << 20
# After an answer without work that came sooner than it should.
EMPTY_S = 0.2
# How long a call for work may wait at the server; while directories are being removed only a moment.
LONGEST_S = 20.0
SOON_S = 0.5


class Boss(Protocol):
    """Who makes these calls, and judges how they went."""

    def touch(self) -> None:
        """Something changed."""

    def hear(self, answer: LeaseAnswer) -> None:
        """The server's answer."""

    def failed(self, call: str, error: BaseException) -> bool:
        """True where this failure is the pilot's end."""


class Leasing:
    """Makes lease calls."""

    def __init__(self, host: Host, roster: Roster, boss: Boss) -> None:
        self._host, self._roster, self._boss = host, roster, boss
        self._poll, self._report = Line(host.loop, "poll"), Line(host.loop, "report")
        self._batch = MOST_REPORTS
        self._refused: list[str] = []

    @property
    def busy(self) -> bool:
        """Whether a call is under way that may bring work."""
        return self._poll.busy or self._report.busy

    @property
    def failing(self) -> bool:
        """Whether the last call for work failed."""
        return self._poll.failing

    # --- reports ---

    def send_reports(self, draining: bool) -> None:
        """Bring all reports there are, or as many as go into a call; ask for work in the same breath."""
        if not self._report.free:
            if not self._report.busy:
                self._host.loop.later(self._report.wait_s + 0.01, self._boss.touch)
            return
        reports = self._roster.outbox.batch(self._batch, MOST_BYTES)
        wish = self._roster.wish()
        most = 0 if draining else wish.max
        request = self._request(LeaseRequest(wish.free, most, wish.ahead if most else 0, reports=reports))
        faultpoints.reach("before_report")
        self._report.call(
            lambda: self._host.api.lease(self._host.pilot, request),
            lambda answer, error: self._reported(reports, answer, error),
        )

    def _reported(self, reports: list[Report], answer: Optional[LeaseAnswer], error: Optional[BaseException]) -> None:
        faultpoints.reach("after_report")
        if answer is not None:
            self._batch = MOST_REPORTS
            self._boss.hear(answer)
        elif error is not None and not self._boss.failed("report", error) and not is_passing(error):
            self._refuse(reports, error)
        self._boss.touch()

    def _refuse(self, reports: list[Report], error: BaseException) -> None:
        """The server will not read this call: find the report it is about, make it small, at last leave it out."""
        self._host.journal.error("reports refused", count=len(reports), why=error)
        if len(reports) > 1:
            self._batch = 1
            return
        report = reports[0]
        if report.attempt in self._refused:
            self._roster.drop(report.attempt, "the server refused its report")
            return
        self._refused.append(report.attempt)
        report.metrics, report.logs, report.result = {}, [], None
        if report.state == "succeeded":
            report.state, report.fault, report.outputs = "failed", "pilot", []
        report.message = f"the server refused the report: {error}"[:500]
        self._roster.outbox.first_to_end(report.attempt)

    # --- work ---

    def ask(self, idle: bool, idle_left_s: float) -> None:
        """Ask for work, where there is room for any."""
        wish = self._roster.wish()
        if wish.free is NOTHING:
            return
        if not self._poll.free:
            self._host.loop.later(min(self._poll.wait_s + 0.01, max(idle_left_s, 0.01)), self._boss.touch)
            return
        request = self._request(LeaseRequest(wish.free, wish.max, wish.ahead))
        # A call must not wait long on behalf of less room than there will be in a moment.
        settled = not self._host.pool.cleaning
        request.wait_s = round(poll_wait_s(idle and settled, idle_left_s, LONGEST_S if settled else SOON_S), 3)
        soon = time.monotonic() + min(request.wait_s, EMPTY_S)
        self._poll.call(
            lambda: self._host.api.lease(self._host.pilot, request),
            lambda answer, error: self._polled(soon, answer, error),
        )

    def _polled(self, soon: float, answer: Optional[LeaseAnswer], error: Optional[BaseException]) -> None:
        if answer is not None:
            known = len(self._roster)
            self._boss.hear(answer)
            if len(self._roster) == known and time.monotonic() < soon:
                # It should have waited, and brought nothing new: no reason to ask in a circle.
                self._poll.hold(EMPTY_S)
        elif error is not None and not self._boss.failed("lease", error) and not is_passing(error):
            self._host.journal.error("lease refused", why=error)
        self._boss.touch()

    def _request(self, request: LeaseRequest) -> LeaseRequest:
        request.held = list(self._roster.runs)
        request.walltime_left_s = round(self._host.walltime_left_s, 1)
        return request
