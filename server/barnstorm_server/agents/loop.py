"""The shape of a server-side loop: wake, do a round, wait. One that fails is seen, logged, and goes on."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("barnstorm.agents")


@dataclass
class Agent:
    """A named loop. `round` is called each `every_s`, and at once when `wake` was called, but at most each `at_most_s`.

    An error of a round is logged and counted, and the next round comes with a growing pause: no agent ever ends by
    itself.
    """

    name: str
    round: Callable[[], None]
    every_s: float
    at_most_s: float = 0.0
    failures: int = 0
    rounds: int = 0
    last_round: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name=f"agent-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Ask for a round now."""
        self._wake.set()

    def stop(self) -> None:
        self._stop = True
        self._wake.set()
        self._thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        """Whether rounds still come to their end in time."""
        return self._thread.is_alive() and time.monotonic() - self.last_round < self.every_s + 60

    def health(self) -> dict[str, Any]:
        """What `GET /healthz` says of it."""
        return {"ok": self.alive, "rounds": self.rounds, "failures": self.failures}

    def _run(self) -> None:
        pause = self.every_s
        while not self._stop:
            self._wake.wait(pause)
            if self._stop:
                return
            self._wake.clear()
            try:
                self.round()
                self.rounds += 1
                self.failures = 0
                pause = self.every_s
            except Exception:
                self.failures += 1
                pause = min(60.0, self.every_s * 2 ** min(self.failures, 6))
                log.exception("agent %s failed, %d times in a row", self.name, self.failures)
            self.last_round = time.monotonic()
            if self.at_most_s:
                time.sleep(self.at_most_s)
