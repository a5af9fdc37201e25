"""The agent of a registered pilot: leases, runs and reports until there is a reason to leave."""

import os
import signal
import time
import traceback
from collections.abc import Sequence

from barnstorm.api.errors import ApiError, Unreachable
from barnstorm.model.base import to_wire
from barnstorm.model.pilots import CheckResult, Clock, Command, Heartbeat, HeartbeatAnswer, LeaseAnswer

from . import exits
from .beats import Beats
from .checks.own import OwnChecks
from .ending import Killed
from .host import Host
from .leasing import Leasing
from .limits import worker_ends
from .line import is_passing, is_unknown
from .roster import Roster
from .run import Run
from .watch import Watch
from .workdir import remove_tree

# A pilot that holds nothing waits this long for a server that is away: its slot costs the site, and helps nobody.
EMPTY_PATIENCE_S = 60.0
GIVE_BACK_LOOK_S = 1.0


class Agent:
    """One pilot at work. Everything runs on the loop's thread but the calls themselves."""

    def __init__(self, host: Host, clock: Clock, idle_s: float, drain_s: float) -> None:
        self.host, self.idle_s = host, idle_s
        self.roster = Roster(host, self.touch, self._began, self._sick)
        self.leasing = Leasing(host, self.roster, self)
        self.beats = Beats(host, clock, self._beat, self._beaten, self.failed)
        self.watch = Watch(host, self.beats.news)
        self._validating = True
        self._draining = False
        self._leaving = ""
        self._code = exits.OK
        self._lost = False
        self._touched = False
        self._heard = time.monotonic()
        self._signals = 0
        left_s = host.walltime_left_s
        host.loop.later(max(0.0, left_s - drain_s), lambda: self.drain("the worker's walltime comes near"))
        host.loop.later(max(0.0, left_s - host.settings.grace_s - 5), self._walltime_over)

    def run(self) -> int:
        """Work until the end; returns the exit code."""
        self.host.loop.on_signal = self._signal
        self.beats.go_on()
        self._give_back_old()
        try:
            OwnChecks(self.host).run(self._validated)
            self.host.loop.run()
        except Exception as error:  # noqa: BLE001 - told to the server and by the exit code; its payloads end with it
            trace = "".join(traceback.format_exception(None, error, error.__traceback__))
            self.host.journal.error("the pilot failed", why=trace)
            self._code, self._leaving = exits.CRASHED, f"the pilot failed: {type(error).__name__}: {error}"
        self._say_goodbye()
        return self._code

    def _validated(self, results: list[CheckResult]) -> None:
        for one in results:
            self.host.journal.info("check", name=one.name, ok=one.ok, said=one.said, took_ms=one.took_ms)
        self._validating = False
        self.roster.busy_until = time.monotonic()
        failed = [f"{one.name}: {one.said}" for one in results if not one.ok]
        if failed:
            self.leave(exits.NODE, f"a check of the node failed: {'; '.join(failed)}")
        self.touch()

    # --- the pump: what can be done now ---

    def touch(self) -> None:
        """Something changed: see soon what there is to do. Many changes make one look."""
        if not self._touched:
            self._touched = True
            self.host.loop.post(self._pump)

    def _pump(self) -> None:
        self._touched = False
        if self._validating:
            return
        if not self._draining:
            self.roster.start_what_fits()
        if self.roster.outbox and not self._lost:
            self.leasing.send_reports(self._draining)
        if self._draining:
            self._leave_when_done()
        elif not self.roster.outbox and not self.leasing.busy:
            self._ask_for_work()

    def _ask_for_work(self) -> None:
        idle = len(self.roster) == 0
        left_s = self.roster.busy_until + self.idle_s - time.monotonic() if idle else self.idle_s
        if idle and left_s <= 0:
            away = ", and the server cannot be reached" if self.leasing.failing else ""
            self.leave(exits.UNREACHABLE if away else exits.OK, f"no work for {self.idle_s:g} s{away}")
        else:
            self.leasing.ask(idle, left_s)

    def _leave_when_done(self) -> None:
        if len(self.roster):
            return
        if self.host.crew.busy:
            self.host.loop.later(0.02, self.touch)  # directories are being removed
        else:
            self.host.loop.stop()

    def _give_back_old(self) -> None:
        self.roster.give_back_old()
        self.host.loop.later(GIVE_BACK_LOOK_S, self._give_back_old)

    def _began(self, run: Run) -> None:
        self.watch.add(run)

    # --- what the server says ---

    def hear(self, answer: LeaseAnswer) -> None:
        """An answer to a lease."""
        self._heard = time.monotonic()
        self.beats.clock = answer.clock
        self.roster.settle(answer.results)
        self.roster.take(answer, self._draining)
        self._obey(answer.commands)

    def _beat(self) -> Heartbeat:
        word = "validating" if self._validating else "busy" if len(self.roster) else "idle"
        beat = Heartbeat(self.roster.held(), "draining" if self._draining else word)  # type: ignore[arg-type]
        beat.why = self._leaving[:500]
        return beat

    def _beaten(self, answer: HeartbeatAnswer) -> None:
        self._heard = time.monotonic()
        self._obey(answer.commands)

    def _obey(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if command.verb == "kill":
                self.roster.kill(command.attempt, command.why)
            elif command.verb == "stop":
                self.roster.drop(command.attempt, command.why)
            else:
                self.drain(command.why or f"told to {command.verb}")

    # --- when things go wrong ---

    def failed(self, call: str, error: BaseException) -> bool:
        """Judge a failed call; True when it means the end."""
        if self._lost:
            return True
        if is_unknown(error):
            self.host.journal.error("the server refuses this pilot", call=call, why=error)
            self._give_up(exits.LOST, "the server no longer knows this pilot")
            return True
        silent_s = time.monotonic() - self._heard
        if is_passing(error):
            self.host.journal.warning("server unreachable", call=call, silent_s=silent_s, why=error)
        patience_s = self.host.settings.patience_s
        if not len(self.roster):
            patience_s = min(patience_s, max(EMPTY_PATIENCE_S, self.idle_s))
        if silent_s > patience_s and not any(run.runs for run in self.roster.begun):
            self._give_up(exits.UNREACHABLE, f"the server could not be reached for {silent_s:.0f} s")
            return True
        return False

    def _give_up(self, code: int, why: str) -> None:
        """Nobody is there to report to: end everything."""
        self._lost = True
        self.beats.end()
        self.leave(code, why)
        self.roster.drop_all()

    def _sick(self, why: str) -> None:
        """Job after job fails by the node's own fault: better no pilot here than one that eats the queue."""
        self.leave(exits.NODE, f"this node cannot run jobs: {why}")

    def _signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self.host.children.reap()
            return
        self._signals += 1
        name = signal.Signals(number).name
        self.host.journal.info("signal", name=name)
        grace_s = self.host.settings.grace_s if self._signals == 1 else 0.0
        if any(not run.is_reported for run in self.roster.runs.values()):
            self._code = exits.SIGNALLED
        self.drain(f"got {name}")
        self.roster.end_all(Killed("preempted", f"the pilot got {name}"), grace_s)
        # A server that does not answer must not keep us: what was not reported is found lost.
        self.host.loop.later(grace_s + 10.0, self.host.loop.stop)

    def _walltime_over(self) -> None:
        why = worker_ends(self.host.walltime_left_s, self.host.settings.grace_s)
        self.drain("the worker's walltime ends")
        if why:
            self.roster.end_all(why, self.host.settings.grace_s)
            self.host.loop.later(self.host.walltime_left_s, self.host.loop.stop)

    # --- leaving ---

    def drain(self, why: str) -> None:
        """Take no new work; give back what has not begun; leave when the rest is done."""
        if not self._draining:
            self.leave(self._code, why)

    def leave(self, code: int, why: str) -> None:
        """As `drain`, with an exit code. The first reason counts."""
        self._code = self._code or code
        if not self._leaving:
            self._leaving = why
            self.host.journal.info("leaving", why=why, code=self._code)
        self._draining = True
        self.roster.give_back_all(why)
        if len(self.roster):
            self.beats.news()
        self.touch()

    def _say_goodbye(self) -> None:
        self._end_payloads()
        if not self._lost:
            self._last_beat()
        try:
            remove_tree(self.host.base)
        except OSError as error:
            self.host.journal.error("directory not removed", path=self.host.base, why=error)
        self.host.journal.info("left", code=self._code, why=self._leaving, pid=os.getpid())

    def _end_payloads(self) -> None:
        for run in self.roster.begun:
            run.drop(0.0)
        until = time.monotonic() + 5.0
        while self.host.children.running and time.monotonic() < until:
            time.sleep(0.002)
            self.host.children.reap()

    def _last_beat(self) -> None:
        """The server need not wait for our lease to end. Should this fail, it does: that is all."""
        beat = Heartbeat([], "draining", leaving=True, why=self._leaving[:500])
        path = f"/v1/pilots/{self.host.pilot}/heartbeat"
        try:
            self.host.api.connection.json("POST", path, to_wire(beat), timeout_s=5.0)
        except (ApiError, Unreachable) as error:
            self.host.journal.warning("no goodbye", why=error)
