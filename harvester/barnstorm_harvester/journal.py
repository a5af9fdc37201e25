"""The harvester's log: one line an event, with the ids it is about as name=value. Tokens are never among them."""

import logging
import sys
import time
from typing import Any

LEVELS = ("debug", "info", "warning", "error")


class Journal:
    """Writes events of one part of the harvester; `about` are ids that every line of it carries."""

    def __init__(self, part: str, **about: Any) -> None:
        self._log = logging.getLogger(f"barnstorm.harvester.{part}")
        self._about = about

    def debug(self, event: str, **about: Any) -> None:
        self._write(logging.DEBUG, event, about)

    def info(self, event: str, **about: Any) -> None:
        self._write(logging.INFO, event, about)

    def warning(self, event: str, **about: Any) -> None:
        self._write(logging.WARNING, event, about)

    def crash(self, event: str, **about: Any) -> None:
        """An error nobody foresaw, with where it came from."""
        self._write(logging.ERROR, event, about, trace=True)

    def _write(self, level: int, event: str, about: dict[str, Any], trace: bool = False) -> None:
        if not self._log.isEnabledFor(level):
            return
        pairs = {**self._about, **about}
        words = [event, *(f"{name}={_quoted(value)}" for name, value in pairs.items() if value not in (None, ""))]
        self._log.log(level, "%s", " ".join(words), exc_info=trace)


def set_up(level: str) -> None:
    """Send all events from `level` on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log = logging.getLogger("barnstorm")
    log.handlers[:] = [handler]
    log.setLevel(level.upper())
    log.propagate = False


def _quoted(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if text.isprintable() and " " not in text and "=" not in text else repr(text)
