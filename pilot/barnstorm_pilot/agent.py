"""The agent: checks the node, says hello, then leases, runs and reports until there is a reason to leave."""

import os
import signal
import time
import traceback
from typing import Optional

from barnstorm.api.errors import ApiError, Unreachable
from barnstorm.model.base import to_wire
from barnstorm.model.pilots import (
    CheckResult,
    Clock,
    Command,
    Heartbeat,
    HeartbeatAnswer,
    LeaseAnswer,
    LeaseRequest,
    Report,
)

from . import exits, faultpoints
from .checks.own import OwnChecks
from .ending import Killed
from .host import Host
from .leases import NOTHING, poll_wait_s
from .limits import worker_ends
from .line import Line, is_passing, is_unknown
from .roster import Roster
from .watch import Watch
from .workdir import remove_tree

# A call carries at most so much: the server has a limit for bodies, and other pilots wait their turn.
MOST_REPORTS = 100
MOST_BYTES = 2 << 20
# After an answer without work that came sooner than it should.
EMPTY_S = 0.2
# Between two heartbeats that only tell news.
NEWS_S = 0.2


class Agent:
    """One registered pilot. Everything runs on the loop's thread but the calls themselves."""

    def __init__(self, host: Host, clock: Clock, idle_s: float, drain_s: float) -> None:
        self.host, self.clock, self.idle_s = host, clock, idle_s
        self.loop, self.api, self.journal = host.loop, host.api, host.journal
        self.roster = Roster(host, self.touch, self._began, self._sick)
        self.watch = Watch(host, self._news)
        self._poll, self._report, self._beat = (Line(host.loop, name) for name in ("poll", "report", "beat"))
        self._state = "validating"
        self._draining = False
        self._leaving: Optional[str] = None
        self._code = exits.OK
        self._lost = False
        self._touched = False
        self._heard = time.monotonic()
        self._last_beat = 0.0
        self._news_due = False
        self._batch = MOST_REPORTS
        self._refused: list[str] = []
        self._signals = 0
        host.loop.later(
            max(0.0, host.walltime_left_s - drain_s), lambda: self.drain("the worker's walltime comes near")
        )
        host.loop.later(max(0.0, host.walltime_left_s - host.settings.grace_s - 5), self._walltime_over)

    def run(self) -> int:
        """Work until the end; returns the exit code."""
        self.loop.on_signal = self._signal
        self._beat_regularly()
        OwnChecks(self.host).run(self._validated)
        try:
            self.loop.run()
        except Exception as error:  # noqa: BLE001 - told to the server and by the exit code; its payloads end with it
            self.journal.error(
                "the pilot failed", why="".join(traceback.format_exception(None, error, error.__traceback__))
            )
            self._code, self._leaving = exits.CRASHED, f"the pilot failed: {type(error).__name__}: {error}"
        self._say_goodbye()
        return self._code

    def _validated(self, results: list[CheckResult]) -> None:
        failed = [one for one in results if not one.ok]
        for one in results:
            self.journal.info("check", name=one.name, ok=one.ok, said=one.said, took_ms=one.took_ms)
        self._state = "idle"
        self.roster.busy_until = time.monotonic()
        if failed:
            why = "; ".join(f"{one.name}: {one.said}" for one in failed)
            self.leave(exits.NODE, f"a check of the node failed: {why}")
        self.touch()

    # --- the pump: what can be done now ---

    def touch(self) -> None:
        """Something changed: see soon what there is to do. Many changes make one look."""
        if not self._touched:
            self._touched = True
            self.loop.post(self._pump)

    def _pump(self) -> None:
        self._touched = False
        if self._state == "validating":
            return
        if not self._draining:
            self.roster.start_what_fits()
        if len(self.roster.outbox) and not self._lost:
            self._send_reports()
        if self._draining:
            if not len(self.roster) and not self.host.crew.busy:
                self.loop.stop()
            elif not len(self.roster):
                self.loop.later(0.02, self.touch)
        elif not self.roster.outbox and not self._report.busy and not self._poll.busy:
            self._ask_for_work()

    def _began(self, run: object) -> None:
        self.watch.add(run)  # type: ignore[arg-type]

    def _send_reports(self) -> None:
        if not self._report.free:
            if not self._report.busy:
                self.loop.later(self._report.wait_s + 0.01, self.touch)
            return
        reports = self.roster.outbox.batch(self._batch, MOST_BYTES)
        wish = self.roster.wish()
        most = 0 if self._draining else wish.max
        request = LeaseRequest(wish.free, most, wish.ahead if most else 0, self._names(), reports)
        request.walltime_left_s = round(self.host.walltime_left_s, 1)
        faultpoints.reach("before_report")
        self._report.call(
            lambda: self.api.lease(self.host.pilot, request),
            lambda answer, error: self._reported(reports, answer, error),
        )

    def _reported(self, reports: list[Report], answer: Optional[LeaseAnswer], error: Optional[BaseException]) -> None:
        faultpoints.reach("after_report")
        if answer is not None:
            self._batch = MOST_REPORTS
            self._hear(answer)
        elif error is not None and not self._failed("report", error) and not is_passing(error):
            self._refuse(reports, error)
        self.touch()

    def _refuse(self, reports: list[Report], error: BaseException) -> None:
        """The server will not read this call: find the report it is about, make it small, at last leave it out."""
        self.journal.error("reports refused", count=len(reports), why=error)
        if len(reports) > 1:
            self._batch = 1
            return
        report = reports[0]
        if report.attempt in self._refused:
            self.roster.outbox.remove(report.attempt)
            self.roster.drop(report.attempt, "the server refused its report")
            return
        self._refused.append(report.attempt)
        report.metrics, report.logs, report.result = {}, [], None
        if report.state == "succeeded":
            report.state, report.fault, report.outputs = "failed", "pilot", []
        report.message = f"the server refused the report: {error}"[:500]
        self.roster.outbox.first_to_end(report.attempt)

    def _ask_for_work(self) -> None:
        now = time.monotonic()
        idle = len(self.roster) == 0
        idle_left = self.roster.busy_until + self.idle_s - now if idle else self.idle_s
        if idle and idle_left <= 0:
            away = ", and the server cannot be reached" if self._poll.failing else ""
            self.leave(exits.UNREACHABLE if away else exits.OK, f"no work for {self.idle_s:g} s{away}")
            return
        wish = self.roster.wish()
        if wish.free is NOTHING:
            return
        if not self._poll.free:
            self.loop.later(min(self._poll.wait_s + 0.01, max(idle_left, 0.01)), self.touch)
            return
        request = LeaseRequest(wish.free, wish.max, wish.ahead, self._names())
        request.wait_s = round(poll_wait_s(idle, idle_left), 3)
        request.walltime_left_s = round(self.host.walltime_left_s, 1)
        self._poll.call(
            lambda: self.api.lease(self.host.pilot, request),
            lambda answer, error: self._polled(now + min(request.wait_s, EMPTY_S), answer, error),
        )

    def _polled(self, waited: float, answer: Optional[LeaseAnswer], error: Optional[BaseException]) -> None:
        if answer is not None:
            known = len(self.roster)
            self._hear(answer)
            if len(self.roster) == known and time.monotonic() < waited:
                # It should have waited, and brought nothing new: no reason to ask in a circle.
                self._poll.hold(EMPTY_S)
        elif error is not None and not self._failed("lease", error) and not is_passing(error):
            self.journal.error("lease refused", why=error)
        self.touch()

    def _names(self) -> list[str]:
        return list(self.roster.runs)

    def _hear(self, answer: LeaseAnswer) -> None:
        self._heard = time.monotonic()
        self.clock = answer.clock
        self.roster.settle(answer.results)
        self.roster.take(answer, self._draining)
        self._obey(answer.commands)

    def _obey(self, commands: list[Command]) -> None:
        for command in commands:
            if command.verb == "kill":
                self.roster.kill(command.attempt, command.why)
            elif command.verb == "stop":
                self.roster.drop(command.attempt, command.why)
            else:
                self.drain(command.why or f"told to {command.verb}")

    # --- heartbeats ---

    def _beat_regularly(self) -> None:
        self.roster.give_back_old()
        due = self._last_beat + self.clock.heartbeat_s - time.monotonic()
        if due <= 0 and self._beat.free:
            self._send_beat()
            due = self.clock.heartbeat_s
        self.loop.later(min(max(due, 0.05), 2.0), self._beat_regularly)

    def _news(self) -> None:
        """Attempts have new states: tell them soon, but not one by one."""
        if self._news_due:
            return
        self._news_due = True
        self.loop.later(max(0.0, self._last_beat + NEWS_S - time.monotonic()), self._tell_news)

    def _tell_news(self) -> None:
        self._news_due = False
        if self._beat.free and not self._lost:
            self._send_beat()

    def _send_beat(self) -> None:
        self._last_beat = time.monotonic()
        beat = Heartbeat(self.roster.held(), self._word())  # type: ignore[arg-type]
        beat.why = (self._leaving or "")[:500]
        self._beat.call(lambda: self.api.heartbeat(self.host.pilot, beat), self._beaten)

    def _word(self) -> str:
        if self._state == "validating" or self._draining:
            return "draining" if self._draining else self._state
        return "busy" if len(self.roster) else "idle"

    def _beaten(self, answer: Optional[HeartbeatAnswer], error: Optional[BaseException]) -> None:
        if answer is not None:
            self._heard = time.monotonic()
            self.clock = answer.clock
            self._obey(answer.commands)
        elif error is not None and not self._failed("heartbeat", error) and is_passing(error):
            self._last_beat = time.monotonic() - self.clock.heartbeat_s + 0.5

    # --- when things go wrong ---

    def _failed(self, call: str, error: BaseException) -> bool:
        """Judge a failed call; True when it means the end."""
        if self._lost:
            return True
        if is_unknown(error):
            self.journal.error("the server no longer knows this pilot", call=call, why=error)
            self._lost = True
            self.leave(exits.LOST, "the server no longer knows this pilot")
            self.roster.drop_all()
            return True
        silent_s = time.monotonic() - self._heard
        if is_passing(error):
            self.journal.warning("server unreachable", call=call, silent_s=silent_s, why=error)
        # Who holds nothing costs the site a slot for nothing; who holds something waits as long as it was told to.
        patience = (
            self.host.settings.patience_s
            if len(self.roster)
            else min(self.host.settings.patience_s, max(60.0, self.idle_s))
        )
        if silent_s > patience and not any(run.runs for run in self.roster.begun):
            self._lost = True
            self.leave(exits.UNREACHABLE, f"the server could not be reached for {silent_s:.0f} s")
            self.roster.drop_all()
            return True
        return False

    def _sick(self, why: str) -> None:
        """Job after job fails by the node's own fault: better no pilot here than one that eats the queue."""
        self.leave(exits.NODE, f"this node cannot run jobs: {why}")

    def _signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self.host.children.reap()
            return
        self._signals += 1
        name = signal.Signals(number).name
        self.journal.info("signal", name=name)
        grace_s = self.host.settings.grace_s if self._signals == 1 else 0.0
        if any(not run.is_reported for run in self.roster.runs.values()):
            self._code = exits.SIGNALLED
        self.drain(f"got {name}")
        self.roster.end_all(Killed("preempted", f"the pilot got {name}"), grace_s)
        # A server that does not answer must not keep us: what was not reported is found lost.
        self.loop.later(grace_s + 10.0, self.loop.stop)

    def _walltime_over(self) -> None:
        why = worker_ends(self.host.walltime_left_s, self.host.settings.grace_s)
        self.drain("the worker's walltime ends")
        if why:
            self.roster.end_all(why, self.host.settings.grace_s)
            self.loop.later(self.host.walltime_left_s, self.loop.stop)

    # --- leaving ---

    def drain(self, why: str) -> None:
        """Take no new work; give back what has not begun; leave when the rest is done."""
        if not self._draining:
            self.leave(self._code, why)

    def leave(self, code: int, why: str) -> None:
        """As `drain`, with an exit code."""
        self._code = self._code or code
        if self._leaving is None:
            self._leaving = why
            self.journal.info("leaving", why=why, code=code)
        self._draining = True
        self.roster.give_back_all(why)
        if not self._lost and len(self.roster):
            self._news()
        self.touch()

    def _say_goodbye(self) -> None:
        for run in self.roster.begun:
            run.drop(0.0)
        until = time.monotonic() + 5.0
        while self.host.children.running and time.monotonic() < until:
            time.sleep(0.002)
            self.host.children.reap()
        if not self._lost:
            beat = Heartbeat([], "draining", leaving=True, why=(self._leaving or "")[:500])
            try:
                path = f"/v1/pilots/{self.host.pilot}/heartbeat"
                self.api.connection.json("POST", path, to_wire(beat), timeout_s=5.0)
            except (ApiError, Unreachable) as error:
                # It was a courtesy: the lease ends by itself.
                self.journal.warning("no goodbye", why=error)
        try:
            remove_tree(self.host.base)
        except OSError as error:
            self.journal.error("directory not removed", path=self.host.base, why=error)
        self.journal.info("left", code=self._code, why=self._leaving, pid=os.getpid())
