"""The harvester's log: one line an event on stderr, with the ids it is about as name=value, and never a token."""

import logging
import re
import sys
import time
from typing import Any

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_PLAIN = re.compile(r"[^\s\"'=\\]+\Z")


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
        if self._log.isEnabledFor(level):
            pairs = {**self._about, **about}
            words = [event, *(f"{name}={_shown(value)}" for name, value in pairs.items() if value not in (None, ""))]
            self._log.log(level, "%s", " ".join(words), exc_info=trace)


class _Lines(logging.Formatter):
    """`2026-11-21T02:41:07.123Z INFO queue: worker submitted queue=local worker=w12`."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return _TOKEN.sub("[token]", super().format(record))


def set_up(level: str) -> None:
    """Send all logging of this process from `level` on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("urllib3").setLevel(max(logging.WARNING, root.level))


def _shown(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.match(text) else repr(text)
