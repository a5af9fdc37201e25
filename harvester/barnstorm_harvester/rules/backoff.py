"""How long to submit nothing after things went wrong: longer each time, so that no fault is repeated at full speed."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Kind:
    """A kind of failure: how many in a row cost nothing, the first pause, the longest one."""

    free: int
    first_s: float
    longest_s: float


FOR_NOW = Kind(0, 1.0, 300.0)
"""The batch system took nothing for the moment."""
FOR_EVER = Kind(0, 30.0, 900.0)
"""The batch system will always refuse the same; somebody has to mend something."""
EARLY_END = Kind(2, 1.0, 60.0)
"""A worker failed right after its start. It may be a single bad node that eats pilots, so the pause stays short."""


@dataclass(frozen=True)
class Pause:
    """After `failures` failures in a row nothing is submitted until `until` (epoch seconds)."""

    failures: int = 0
    until: float = 0.0
    why: str = ""

    def hinders(self, now: float) -> str:
        """Why nothing is submitted now; empty where nothing hinders."""
        if now >= self.until:
            return ""
        times = "" if self.failures == 1 else f" ({self.failures} times in a row)"
        until = datetime.fromtimestamp(self.until, UTC).strftime("%H:%M:%S UTC")
        return f"paused until {until}: {self.why}{times}"


def after_failure(pause: Pause, why: str, kind: Kind, now: float) -> Pause:
    """The pause after one more failure."""
    failures = pause.failures + 1
    if failures <= kind.free:
        return Pause(failures, 0.0, why[:300])
    return Pause(failures, now + min(kind.longest_s, kind.first_s * 2 ** min(failures - kind.free - 1, 20)), why[:300])


def after_success() -> Pause:
    return Pause()
