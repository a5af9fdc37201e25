"""From demand to workers: gathers what the rule needs, lets it decide, and has it carried out."""

import re
import threading
import time
from collections.abc import Sequence

from barnstorm.model.workers import Decision, Demand
from barnstorm_plugins.submitters.base import Submitter, SubmitterBusy

from .demand_watch import DemandWatch
from .foreign import asking
from .journal import Journal
from .provisioning import Provisioner, Target
from .reporting import Reporter
from .roster import Roster
from .rules.scale import ScaleDecision, decide
from .rules.supply import Place
from .shared import Shared

_KEPT = 50
_NUMBER = re.compile(r"[0-9][0-9,:.]*")
_WITHDRAW_AFTER_S = 60.0


class Scaler:
    """Decides for one queue, and keeps what it decided until the server was told."""

    def __init__(
        self, roster: Roster, provisioner: Provisioner, reporter: Reporter, shared: Shared, journal: Journal
    ) -> None:
        self._roster, self._provisioner, self._reporter = roster, provisioner, reporter
        self._settings, self._news, self._journal = shared.settings, shared.news, journal
        self._lock = threading.Lock()
        self._decisions: list[Decision] = []
        self._newest: dict[str, Decision] = {}
        self._said: dict[str, str] = {}

    def scale(self, target: Target, watch: DemandWatch, status: str, hindrance: str) -> None:
        """Decide once, and carry it out. Raises as the server does.

        `status` is the queue's as a heartbeat told it, `hindrance` why nothing may be submitted now.
        """
        demand = watch.latest
        if demand is None:
            return
        if demand.parts and self._reporter.ask(demand.version):
            # A pilot that has come takes jobs: demand older than its coming would ask for it once more.
            demand = watch.refresh()
        if demand.status != status:
            # A mark was set, taken off or has ended: one of the two is older, and the server's word now decides.
            demand = watch.refresh()
        now = time.time()
        decisions = decide(
            target.config,
            demand,
            self._roster.supply(now, self._settings.silent_after_s, demand.version),
            self._place(target.submitter) if demand.parts else None,
            hindrance or self._provisioner.pause.hinders(now),
            self._settings.default_limits,
        )
        self._keep(decisions)
        self._provisioner.carry_out(target, decisions)
        if not self._provisioner.pause.hinders(now):
            self._provisioner.withdraw(target.config.name, _WITHDRAW_AFTER_S)

    def _place(self, submitter: Submitter) -> Place | None:
        """What the batch system says it can take. Raises CapacityUnknown where it does not say now."""
        try:
            with asking(self._journal, "capacity"):
                capacity = submitter.capacity()
        except SubmitterBusy as busy:
            raise CapacityUnknown(str(busy)) from busy
        return None if capacity is None else Place(capacity.node, capacity.free, capacity.why)

    def say(self, lanes: Sequence[str], why: str) -> None:
        """Keep a decision to do nothing that no rule had to make."""
        self._keep([ScaleDecision(lane, 0, why) for lane in lanes])

    def _keep(self, decisions: Sequence[ScaleDecision]) -> None:
        """Keep each decision that adds workers; of the others the newest of a lane, at once where its reason is new."""
        for one in decisions:
            before = self._said.get(one.lane, "")
            self._said[one.lane] = one.why
            if not one.change and one.why == before:
                continue
            if one.change:
                self._journal.info("workers wanted", lane=one.lane, change=one.change, why=one.why)
            told = Decision(one.lane, one.change, one.why, counts=one.counts)
            fresh = bool(one.change) or _NUMBER.sub("#", one.why) != _NUMBER.sub("#", before)
            with self._lock:
                self._newest.pop(one.lane, None)
                if fresh:
                    self._decisions.append(told)
                    del self._decisions[:-_KEPT]
                else:
                    self._newest[one.lane] = told
            if fresh:
                self._news()

    def take(self) -> list[Decision]:
        """The decisions kept since the last call."""
        with self._lock:
            # Where only numbers moved since, the newest ones go along with a heartbeat that is due anyway.
            taken = [*self._decisions, *self._newest.values()]
            self._decisions, self._newest = [], {}
        return taken

    def give_back(self, decisions: Sequence[Decision]) -> None:
        """Decisions that could not be told; they go first the next time."""
        with self._lock:
            self._decisions = [*decisions, *self._decisions][-_KEPT:]


def current(demand: Demand | None) -> int:
    """The version of a demand; -1 where there is none yet."""
    return -1 if demand is None else demand.version


class CapacityUnknown(Exception):
    """The batch system did not say what it can take."""
