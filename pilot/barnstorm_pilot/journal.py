"""The pilot's own log: one line an event on stderr, with the ids it is about as name=value, and never a token."""

import re
import sys
import time
from typing import Any

LEVELS = ("debug", "info", "warning", "error")

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_PLAIN = re.compile(r"[^\s\"'=\\]+\Z")


class Journal:
    """Writes events; `about` are ids that every line carries. A broken stderr never stops the pilot."""

    def __init__(self, level: str = "info", **about: Any) -> None:
        self._least = LEVELS.index(level)
        self.about: dict[str, Any] = about

    def debug(self, event: str, **about: Any) -> None:
        self._write(0, event, about)

    def info(self, event: str, **about: Any) -> None:
        self._write(1, event, about)

    def warning(self, event: str, **about: Any) -> None:
        self._write(2, event, about)

    def error(self, event: str, **about: Any) -> None:
        self._write(3, event, about)

    def _write(self, level: int, event: str, about: dict[str, Any]) -> None:
        if level < self._least:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        words = [f"{stamp}.{int(now % 1 * 1000):03d}Z {LEVELS[level].upper()} pilot: {event}"]
        words += [
            f"{name}={_shown(value)}" for name, value in {**self.about, **about}.items() if value not in (None, "")
        ]
        try:
            sys.stderr.write(_TOKEN.sub("[token]", " ".join(words)) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more; the work goes on


def _shown(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.match(text) else repr(text)
