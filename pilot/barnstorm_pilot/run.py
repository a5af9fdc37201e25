"""The life of one attempt on this node: stage in, start, end, stage out, report, and nothing left behind."""

import os
import signal
import threading
import time
from typing import Any, Optional

from barnstorm.model.ids import parse_attempt
from barnstorm.model.pilots import Grant, HeldAttempt, OutputFile, Report, TaskBody
from barnstorm.model.template import UnknownPlaceholder

from . import cgroup, ending, environment, faultpoints, payload
from .children import Ended, kill_group
from .ending import Killed, Verdict
from .host import Host
from .logs import LogStream
from .loop import Timer
from .mishaps import not_started, verdict_of
from .prmon import Summary
from .shipping import Parcel
from .stage import inputs, outputs
from .stage.base import StageContext
from .workdir import PathEscapes, WorkDir

# After this long what is left of a payload is stuck in the kernel, and the report goes without its end.
_STUCK_S = 5.0


class Run:
    """One attempt, from its grant to the removal of its directory. All methods run on the loop's thread."""

    def __init__(self, host: Host, grant: Grant, body: TaskBody) -> None:
        self.host, self.grant, self.body = host, grant, body
        self.name = grant.attempt
        self.attempt = parse_attempt(grant.attempt)
        self.state = "leased"
        self.since = time.monotonic()
        self.started: Optional[float] = None
        self.ended: Optional[float] = None
        self.told_state = "leased"
        self.killed: Optional[Killed] = None
        self.dropped = False
        self.summary = Summary()
        self.given_up = threading.Event()
        self.values: dict[str, Any] = {
            **grant.values, "task": self.attempt.task, "index": self.attempt.index, "job": str(self.attempt.job)
        }  # fmt: skip
        self.dir: Optional[WorkDir] = None
        self.parcels: list[Parcel] = []
        self._gpus: list[str] = []
        self._pid = 0
        self._kill_timer: Optional[Timer] = None
        self.is_reported = False
        self._metrics: dict[str, Any] = {}

    # --- what others see of it ---

    @property
    def runs(self) -> bool:
        """Whether the payload's process lives."""
        return self._pid != 0

    @property
    def wall_s(self) -> float:
        begin = self.since if self.started is None else self.started
        return (self.ended or time.monotonic()) - begin

    def held(self) -> HeldAttempt:
        """Its line in a heartbeat."""
        self.told_state = self.state
        ago = None if self.started is None else round(time.monotonic() - self.started, 3)
        return HeldAttempt(self.name, self.state, ago, dict(self.summary.last))  # type: ignore[arg-type]

    # --- beginning ---

    def begin(self, gpus: list[str]) -> None:
        """The pool has given it room: get going."""
        self.state, self.since, self._gpus = "starting", time.monotonic(), gpus
        try:
            self.dir = self._make_dir()
        except OSError as error:
            self._fail(error)
            return
        limit = self.host.log_limit
        self.parcels = [
            Parcel(self.attempt, LogStream("stdout", self.dir.logs["stdout"], limit)),
            Parcel(self.attempt, LogStream("stderr", self.dir.logs["stderr"], limit)),
        ]
        files = [*self.body.inputs, *([self.grant.file] if self.grant.file else [])]
        if not files:
            self._spawn()
            return
        context = self._context(self.dir.work)
        self.host.crew.do(lambda: inputs.bring(files, self.values, self.host.stagers, context), self._staged)

    def _make_dir(self) -> WorkDir:
        try:
            return WorkDir(self.host.base, self.attempt)
        except FileNotFoundError:
            # Some payload, or a cleaner of the node, removed more than its own.
            os.makedirs(self.host.base, mode=0o700, exist_ok=True)
            return WorkDir(self.host.base, self.attempt)

    def _context(self, work: str) -> StageContext:
        host = self.host
        return StageContext(host.api, self.name, self.body.owner, work, host.cache, self.given_up)

    def _staged(self, _: Any, error: Optional[BaseException]) -> None:
        if self.killed or self.dropped:
            self._end_unstarted()
        elif error is not None:
            self._fail(error)
        else:
            self._spawn()

    def _spawn(self) -> None:
        assert self.dir is not None
        host = self.host
        try:
            places = environment.directories(self.dir.work, self.dir.tmp)
            env = environment.build(
                host.base_env,
                host.queue.env,
                self.body.env,
                self.values,
                self.attempt,
                self.grant.needs,
                self._gpus,
                places,
            )
            program = payload.prepare(self.body.payload, self.values, self.dir.work, env["PATH"], host.finder)
        except (payload.CommandMissing, UnknownPlaceholder, PathEscapes, OSError) as error:
            self._fail(error)
            return
        faultpoints.reach("before_spawn")
        try:
            logs = self.dir.logs
            self._pid = host.children.start(
                program.path, program.argv, env, self.dir.work, logs["stdout"], logs["stderr"], self._exited
            )
        except (OSError, ValueError) as error:
            self._fail(not_started(program.argv[0], error))
            return
        self.started = time.monotonic()
        self.state = "running"
        host.families.add(self.name, self._pid)
        faultpoints.reach("after_spawn")

    # --- ending ---

    def kill(self, why: Killed, grace_s: float) -> None:
        """End it, and report why: SIGTERM, then SIGKILL to all that is left. The first reason counts."""
        if self.is_reported:
            return
        self.given_up.set()
        if self.killed is None:
            self.killed = why
        if self.state == "leased":
            self._end_unstarted()
        elif self.runs:
            self._end_payload(grace_s)

    def drop(self, grace_s: float) -> None:
        """It is ours no longer: end it, throw all away, report nothing."""
        self.dropped = True
        self.given_up.set()
        if self.state == "leased" or self.is_reported:
            self._gone()
        elif self.runs:
            self._end_payload(grace_s)

    def _end_payload(self, grace_s: float) -> None:
        if grace_s > 0 and self._kill_timer is None:
            # A stopped process cannot react to SIGTERM.
            kill_group(self._pid, signal.SIGTERM)
            kill_group(self._pid, signal.SIGCONT)
            self._kill_timer = self.host.loop.later(grace_s, self._kill_all)
        elif grace_s <= 0:
            self._kill_all()

    def _kill_all(self) -> None:
        if self.runs:
            kill_group(self._pid, signal.SIGKILL)
            self.host.families.kill(self.name)

    def _exited(self, ended: Ended) -> None:
        self._pid = 0
        self.ended = time.monotonic()
        if self._kill_timer:
            self._kill_timer.cancel()
        self.host.pace.add(self.wall_s)
        self._kill_rest(ended, self.ended + _STUCK_S)

    def _kill_rest(self, ended: Ended, until: float) -> None:
        families = self.host.families
        left = families.kill_rest(self.name, quick=self.wall_s < 1.0)
        if left and time.monotonic() < until:
            self.host.loop.later(0.002, lambda: self._kill_rest(ended, until))
            return
        if left:
            self.host.journal.error("processes cannot be killed", attempt=self.name, count=left)
        families.forget(self.name)
        self._judge(ended)

    def _judge(self, ended: Ended) -> None:
        assert self.dir is not None
        oom = False
        if ended.status & 0x7F == signal.SIGKILL or ended.status >> 8 == 128 + signal.SIGKILL:
            count = cgroup.oom_kills()
            oom, self.host.oom_kills = count > self.host.oom_kills, count
        self._metrics = self.summary.finish(ended.usage, ended.io, self.wall_s, self.host.own_peak_kb)
        if self.summary.count:
            self._metrics["HW"] = self.host.hardware
        peak_kb = max(self._metrics["Max"]["pss"], self._metrics["Max"]["rss"])
        verdict = ending.judge(ended.status, self.killed, oom, self.grant.needs, peak_kb)
        if verdict.state == "succeeded" and self.body.outputs and not self.dropped:
            self.state = "transferring"
            context = self._context(self.dir.work)
            self.host.crew.do(
                lambda: outputs.store(self.body.outputs, self.values, context),
                lambda found, error: self._stored(verdict, found, error),
            )
        else:
            self._finish(verdict)

    def _stored(self, verdict: Verdict, found: Optional[list[OutputFile]], error: Optional[BaseException]) -> None:
        if self.killed:
            state = "cancelled" if self.killed.fault == "killed" else "failed"
            self._finish(Verdict(state, verdict.exit_code, None, self.killed.fault, self.killed.message))
        elif error is not None:
            bad = verdict_of(error)
            self._finish(Verdict(bad.state, verdict.exit_code, None, bad.fault, bad.message))
        else:
            self._finish(verdict, found or [])

    def _fail(self, error: BaseException) -> None:
        """It ended before its payload began."""
        self._finish(verdict_of(error))

    def _end_unstarted(self) -> None:
        if self.dropped or self.killed is None:
            self._gone()
        elif self.killed.fault == "killed":
            self._finish(Verdict("cancelled", fault="killed", message=self.killed.message))
        elif self.dir is None:
            self.give_back(self.killed.message)
        else:
            self._finish(Verdict("failed", fault=self.killed.fault, message=self.killed.message))

    def give_back(self, why: str) -> None:
        """It has not begun and shall not: let another pilot have it."""
        self._finish(Verdict("returned", message=why))

    # --- reporting and removal ---

    def _finish(self, verdict: Verdict, stored: Optional[list[OutputFile]] = None) -> None:
        self.ended = self.ended or time.monotonic()
        self.host.on_room(self.name)
        if self.dropped:
            self._gone()
            return
        for parcel in self.parcels:
            parcel.stream.finish()
        self.host.shipper.flush(self.parcels, lambda: self._report(verdict, stored or []))

    def _report(self, verdict: Verdict, stored: list[OutputFile]) -> None:
        if self.dropped:
            self._gone()
            return
        report = Report(self.name, verdict.state, verdict.exit_code, verdict.signal, verdict.fault)  # type: ignore[arg-type]
        # File names may hold bytes that are no text; JSON cannot.
        report.message = verdict.message[:2000].encode("utf-8", "replace").decode()
        report.metrics = self._metrics
        report.outputs = stored
        late = []
        for parcel in self.parcels:
            if parcel.in_flight or not parcel.stream.fits_inline():
                late.append(parcel)
                continue
            piece = None if parcel.dead else parcel.stream.inline()
            if piece:
                report.logs.append(piece)
        self.is_reported = True
        assert self.ended is not None
        self.host.on_report(report, self.started, self.ended)
        self.host.shipper.finish(late, self._clean)

    def _gone(self) -> None:
        self.host.on_room(self.name)
        self.host.on_gone(self.name)
        self._clean()

    def _clean(self) -> None:
        """Remove its directory; at once where that is quick, else by a thread."""
        for parcel in self.parcels:
            parcel.dead = True
        place, self.dir, self.parcels = self.dir, None, []
        if place is None:
            self.host.on_clean(self.name)
            return
        place.close_logs()
        if place.is_bare():
            self._removed(None, _try(place.remove))
        else:
            self.host.crew.do(place.remove, self._removed)

    def _removed(self, _: Any, error: Optional[BaseException]) -> None:
        self.host.on_clean(self.name)
        if error is not None:
            self.host.journal.error("work directory not removed", attempt=self.name, why=error)


def _try(action: Any) -> Optional[OSError]:
    try:
        action()
    except OSError as error:
        return error
    return None
