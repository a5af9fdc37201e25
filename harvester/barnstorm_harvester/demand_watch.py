"""Waits at the server for changes of one queue's demand, so that the harvester hears of work in the moment it comes."""

import random
import threading
import time
from collections.abc import Callable

from barnstorm.api.errors import ApiError, Unreachable
from barnstorm.api.harvester import HarvesterApi
from barnstorm.model.workers import Demand

from .journal import Journal

_WAIT_S = 25.0
# While jobs come and go by the hundred a second, their number is not worth a request each.
_AT_MOST_EACH_S = 0.05
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class DemandWatch:
    """A thread that holds the newest demand and calls `wake` when there is another one."""

    def __init__(self, api: HarvesterApi, queue: str, wake: Callable[[], None], journal: Journal) -> None:
        self._api, self._queue, self._wake, self._journal = api, queue, wake, journal
        self._lock = threading.Lock()
        self._latest: Demand | None = None
        self._stopped = threading.Event()
        self.error = ""
        self._thread = threading.Thread(target=self._run, name=f"demand-{queue}", daemon=True)
        self._thread.start()

    @property
    def latest(self) -> Demand | None:
        """The newest demand, or None before the first answer."""
        with self._lock:
            return self._latest

    def refresh(self) -> Demand:
        """The demand as of now. Raises ApiError or Unreachable."""
        return self._keep(self._api.demand(self._queue))

    def stop(self) -> None:
        """Stop waiting. The thread ends with the answer it waits for; nobody has to wait for that."""
        self._stopped.set()

    def _keep(self, demand: Demand) -> Demand:
        with self._lock:
            self._latest = demand
        return demand

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopped.is_set():
            known = self.latest
            version = -1 if known is None else known.version
            began = time.monotonic()
            try:
                demand = self._api.demand(self._queue, version, _WAIT_S)
            except (ApiError, Unreachable) as error:
                if not self.error:
                    self._journal.warning("no demand; trying again", why=error)
                self.error = str(error)
                self._stopped.wait(pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            if self.error:
                self._journal.info("demand is there again")
            pause, self.error = _FIRST_PAUSE_S, ""
            if self._stopped.is_set():
                return
            self._keep(demand)
            if demand.version != version:
                self._wake()
                self._stopped.wait(_AT_MOST_EACH_S)
            elif time.monotonic() - began < _FIRST_PAUSE_S:
                # A server that does not wait must not be asked without end.
                self._stopped.wait(_FIRST_PAUSE_S)
