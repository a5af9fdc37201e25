"""How long to wait after submissions failed: longer each time, and longer where the same will be refused again."""

from dataclasses import dataclass
from datetime import UTC, datetime

_NOW_S, _NOW_MOST_S = 1.0, 300.0
_EVER_S, _EVER_MOST_S = 30.0, 900.0


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


def after_failure(pause: Pause, why: str, for_ever: bool, now: float) -> Pause:
    """The pause after one more failed submission."""
    failures = pause.failures + 1
    first, most = (_EVER_S, _EVER_MOST_S) if for_ever else (_NOW_S, _NOW_MOST_S)
    return Pause(failures, now + min(most, first * 2 ** min(failures - 1, 20)), why[:300])


def after_success() -> Pause:
    return Pause()
