"""One queue's thread: waits for demand, ends of workers and orders; submits, follows, reports and cleans.

Each queue has its own, so that a batch system that hangs or an error in a plugin slows no other queue. What depends on
the server is apart from what depends on the batch system: neither waits for the other to come back.
"""

import threading
import time
from typing import Any

from barnstorm.api.errors import ApiError, Unreachable
from barnstorm.model.base import from_wire, to_wire
from barnstorm.model.queue import QueueConfig, lanes_of
from barnstorm.model.workers import ServedQueue
from barnstorm_plugins.submitters.base import InvalidOptions, Submitter, SubmitterBusy

from . import targets
from .adopting import adopt
from .demand_watch import DemandWatch
from .following import Follower
from .inbox import Inbox, Mail
from .journal import Journal
from .plugins import NoSubmitter
from .provisioning import Provisioner, Target
from .reporting import Reporter
from .roster import Roster
from .scaling import CapacityUnknown, Scaler, current
from .shared import Shared

_CLEAN_EACH_S = 60.0
_SETTLE_EACH_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0


class QueueLoop:
    """Serves one queue until it is stopped. While it is released it submits nothing, but follows what there is."""

    def __init__(self, name: str, shared: Shared) -> None:
        self.name = name
        self.inbox = Inbox()
        self._shared = shared
        self._journal = Journal("queue", queue=name)
        self._roster = Roster(shared.store, name)
        self._follower = Follower(self._roster, self._journal)
        self._provisioner = Provisioner(shared.api, shared.settings, self._roster, self._journal)
        self._reporter = Reporter(shared.api, self._roster)
        self.scaler = Scaler(self._roster, self._provisioner, self._reporter, shared, self._journal)
        self._target: Target | None = None
        self._config: QueueConfig | None = None
        self._watch: DemandWatch | None = None
        self._status = "online"
        self._released = False
        self._ending: float | None = None
        self._halt = threading.Event()
        self._trouble = self._batch_trouble = ""
        self._next_look = self._next_clean = self._server_again = 0.0
        self._server_pause = _FIRST_PAUSE_S
        self._crashes = 0
        self._thread = threading.Thread(target=self._run, name=f"queue-{name}", daemon=True)

    # --- called from other threads ---

    def start(self) -> None:
        self._thread.start()

    def serve(self, served: ServedQueue) -> None:
        """This harvester serves the queue, as described."""
        self._released = False
        self.inbox.serve(served)

    def release(self) -> None:
        """Somebody else serves the queue now, or nobody: submit nothing more, and follow what there is."""
        self._released = True
        self.inbox.ring()

    def end_all(self, grace_s: float) -> None:
        """End all workers, and submit no more."""
        self._ending = grace_s
        self.inbox.ring()

    def stop(self) -> None:
        """Stop the thread after the round it is in."""
        self._halt.set()
        self.inbox.ring()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def live(self) -> int:
        """How many workers the batch system has, or may have."""
        return sum(worker.in_batch for worker in self._roster.live())

    def settled(self) -> bool:
        """Whether no worker lives and the server knows how each of them ended."""
        return not self.live() and not self._roster.dirty()

    def batch_info(self) -> dict[str, Any]:
        """How it stands with the batch system, for people."""
        last, now, workers = self._follower.last, time.time(), self._roster.live()
        return {
            "type": self._config.submitter.get("type") if self._config else None,
            "polled_ago_s": round(now - last.at, 1) if last.at else None,
            "poll_ms": round(last.took_s * 1000, 1),
            "poll_error": last.error,
            "workers": len(workers),
            "unknown": sum(worker.unknown_since is not None for worker in workers),
            "paused": self._provisioner.pause.hinders(now) or self._follower.pause.hinders(now),
            "trouble": self._trouble or self._batch_trouble,
        }

    # --- the thread ---

    def _run(self) -> None:
        self._recall()
        while True:
            mail = self.inbox.take(self._wake_at())
            if self._halt.is_set():
                break
            try:
                self._round(mail)
                self._crashes = 0
            except Exception:  # noqa: BLE001 - whatever it is, this queue goes on and no other one is hurt
                self._journal.crash("a round failed")
                self.inbox.strangers(mail.strangers, ring=False)
                self._crashes += 1
                self._halt.wait(min(_LONGEST_PAUSE_S, 0.25 * 2**self._crashes))
        self._stop_watch()
        if self._target is not None:
            self._target.submitter.close()

    def _wake_at(self) -> float:
        """When the next round is due even if nothing happens."""
        now = time.monotonic()
        times = [max(self._next_clean, self._next_look)]
        if self._roster.live():
            times.append(self._next_look)
        if self._roster.dirty() or self._server_again > now:
            times.append(self._server_again)
        if self._watch is not None:
            for pause in (self._provisioner.pause, self._follower.pause):
                left = pause.until - time.time()
                times += [now + left] if left > 0 else []
            times += [now + _SETTLE_EACH_S] if self._roster.settling() else []
        return min(times)

    def _round(self, mail: Mail) -> None:
        if mail.served is not None:
            self._take_over(mail.served)
        submitter = self._target.submitter if self._target is not None else None
        now = time.monotonic()
        if submitter is not None and self._target is not None:
            self._heal(self._target)
            if mail.look or now >= self._next_look:
                self._follower.look(submitter)
                self._next_look = time.monotonic() + (self._target.place.options.poll_s or submitter.poll_s)
        self._end(mail, submitter)
        if now >= self._server_again:
            self._with_server(mail)
        else:
            self.inbox.strangers(mail.strangers, ring=False)
        if now >= self._next_clean:
            self._next_clean = now + _CLEAN_EACH_S
            if submitter is not None:
                self._follower.clean(submitter, self._shared.settings.keep_s)

    def _heal(self, target: Target) -> None:
        """Look for submissions whose answer is missing; until that is done nothing new is submitted."""
        try:
            self._batch_trouble = "" if self._provisioner.heal(target) else "waiting to see what became of a submission"
        except SubmitterBusy as busy:
            self._batch_trouble = f"the batch system does not say what it has: {busy}"
            self._journal.warning("cannot look for lost submissions yet", why=busy)

    def _end(self, mail: Mail, submitter: Submitter | None) -> None:
        if mail.kill:
            grace_s = self._shared.settings.stop_grace_s
            self._follower.end(self._roster.by_id(mail.kill), submitter, grace_s, "killed by a person")
        if self._ending is not None:
            self._follower.end(self._roster.live(), submitter, self._ending, "the harvester was stopped")

    # --- with the server ---

    def _with_server(self, mail: Mail) -> None:
        try:
            if mail.strangers:
                self._adopt(mail)
            self._scale()
            self._reporter.flush(current(self._watch.latest if self._watch else None))
            self._server_pause = _FIRST_PAUSE_S
        except CapacityUnknown as unknown:
            self._batch_trouble = f"the batch system does not say what it can take: {unknown}"
            self.scaler.say(self._lanes(), self._batch_trouble)
            self._ask_later()
        except (ApiError, Unreachable) as error:
            self._journal.warning("the server cannot be asked; trying again", why=error, in_s=self._server_pause)
            self._ask_later()

    def _ask_later(self) -> None:
        self._server_again = time.monotonic() + self._server_pause
        self._server_pause = min(self._server_pause * 2, _LONGEST_PAUSE_S)

    def _lanes(self) -> list[str]:
        return [lane.name for lane in lanes_of(self._config)] if self._config else []

    def _adopt(self, mail: Mail) -> None:
        if self._target is None:
            return
        try:
            # A worker whose plan was answered to a harvester that died then has an id there and none here.
            self._provisioner.name_all(self.name)
            adopt(mail.strangers, self._roster, self._target.submitter, self._target.place, self._journal)
        except SubmitterBusy as busy:
            self._journal.warning("cannot look for workers that the server knows", why=busy)
            self.inbox.strangers(mail.strangers, ring=False)
        except (ApiError, Unreachable):
            self.inbox.strangers(mail.strangers, ring=False)
            raise

    def _scale(self) -> None:
        if self._released or self._ending is not None or self._watch is None:
            self._stop_watch()
        elif self._target is None or self._trouble:
            self.scaler.say(self._lanes(), self._trouble)
        else:
            hindrance = self._batch_trouble or self._follower.pause.hinders(time.time())
            self.scaler.scale(self._target, self._watch, self._status, hindrance)

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    # --- the queue's description ---

    def _recall(self) -> None:
        """Begin with the queue as it was known last, so that its workers are followed while the server is away."""
        remembered = self._shared.store.queue(self.name)
        if remembered is None:
            return
        try:
            self._configure(from_wire(QueueConfig, remembered))
        except (TypeError, ValueError, KeyError) as error:
            self._journal.warning("what was remembered of the queue cannot be read", why=error)

    def _take_over(self, served: ServedQueue) -> None:
        self._status = served.status
        if self._config != served.config or (self._target is None and not self._trouble):
            self._configure(served.config)
            self._shared.store.remember_queue(self.name, to_wire(served.config))
        if self._watch is None and not self._released and self._ending is None:
            self._journal.info("queue served", status=served.status, config=served.config_version)
            self._watch = DemandWatch(self._shared.api, self.name, self.inbox.ring, self._journal)

    def _configure(self, config: QueueConfig) -> None:
        """Take a new description. One that is wrong stops new workers; those there are stay with the one before."""
        self._config = config
        shared = self._shared
        try:
            fresh = targets.build(config, shared.plugins, shared.api.name, shared.settings.dir, self.inbox.look)
        except (NoSubmitter, InvalidOptions) as error:
            self._trouble = str(error)
            self._journal.warning("the queue's submitter cannot be used", why=error)
            return
        self._trouble = ""
        if self._target is not None:
            self._target.submitter.close()
        self._target = fresh
        self._next_look = 0.0
