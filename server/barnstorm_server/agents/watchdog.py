"""The watchdog: ends pilots that were silent for a whole lease in which a server was up to hear them."""

import logging
import math
import time
from collections.abc import Callable

from sqlalchemy import Connection, text

from barnstorm_server.commands.heartbeat import EndPilot
from barnstorm_server.commands.lease import Dispatch
from barnstorm_server.rules.leases import is_lost

log = logging.getLogger("barnstorm.watchdog")

# A gap between two rounds that is longer, or a clock that moved by more, means that nobody was listening meanwhile. A
# round comes each second; leases that are short do not outlast a long gap.
JUMP_S, LEAST_JUMP_S = 5.0, 1.8
# How long a pilot may stay silent after its worker's end was told by the batch system.
AFTER_WORKER_S = 5.0

_SILENT = text(
    "SELECT p.id, p.seen_at, w.ended_at AS worker_ended FROM pilots p LEFT JOIN workers w ON w.id = p.worker_id"
    " WHERE p.ended_at IS NULL AND (p.seen_at < :before OR w.ended_at IS NOT NULL) ORDER BY p.seen_at LIMIT 500"
)


class Watchdog:
    """Keeps since when silence counts, by the store's time; `lost` finds the pilots to end."""

    def __init__(self, dispatch: Dispatch, monotonic: Callable[[], float] = time.monotonic):
        self._dispatch, self._monotonic = dispatch, monotonic
        self.counting_from = math.inf
        self._last = (math.inf, 0.0)

    def tick(self, now: float) -> None:
        """Note the time; from the first call, or after a jump of the clock or a pause of this process, silence counts
        anew.
        """
        steady = self._monotonic()
        passed, steadily = now - self._last[0], steady - self._last[1]
        if self.counting_from == math.inf:
            self.counting_from = now
        elif max(steadily, abs(passed - steadily)) > max(LEAST_JUMP_S, min(JUMP_S, self._dispatch.clock.lease_s / 4)):
            log.warning("the clock moved by %.1f s within %.1f s: leases are counted anew", passed, steadily)
            self.counting_from = now
        self._last = (now, steady)

    def rested(self) -> None:
        """Note that a round has ended: what it took itself was no pause."""
        steady = self._monotonic()
        self._last = (self._last[0] + steady - self._last[1], steady)

    def lost(self, connection: Connection, now: float) -> list[EndPilot]:
        """The pilots whose leases are to be ended, as commands that still check for a late heartbeat."""
        self.tick(now)
        lease_s = self._dispatch.clock.lease_s
        commands = []
        for row in connection.execute(_SILENT, {"before": now - lease_s}).all():
            if is_lost(now, row.seen_at, self.counting_from, lease_s):
                why = f"not heard of for {now - row.seen_at:.0f} s"
            elif row.worker_ended is not None and is_lost(
                now, max(row.seen_at, row.worker_ended), self.counting_from, AFTER_WORKER_S
            ):
                why = "its worker has ended"
            else:
                continue
            commands.append(EndPilot(row.id, row.seen_at, why, self._dispatch))
        return commands
