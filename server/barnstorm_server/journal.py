"""The server's own log: lines on stderr with ids as fields, as text or JSON, and never with a token in them.

log = logging.getLogger("barnstorm.leases")
log.info("granted", extra={"pilot": "p90012", "attempts": 3})
"""

import datetime
import json
import logging
import re
import sys
from typing import Any, Literal, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_BEARER = re.compile(r"""(?i)\b(bearer\s+)[^\s"'\\,;]+""")
_PLAIN = re.compile(r"[^\s\"'=\\]+\Z")


def set_up(level: str = "info", form: Literal["text", "json"] = "text", stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (stderr), from `level` on; may be called again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for chatty in ("uvicorn", "asyncio", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def redact(text: str) -> str:
    """The text without what looks like a token: a JWT anywhere, and whatever follows `Bearer`."""
    return _BEARER.sub(r"\1[token]", _TOKEN.sub("[token]", text))


class TextLines(logging.Formatter):
    """`2026-11-21T02:41:07.123Z INFO leases: granted pilot=p90012 attempts=3`, and below it the traceback, if any."""

    def format(self, record: logging.LogRecord) -> str:
        name = record.name.removeprefix("barnstorm.")
        fields = "".join(f" {key}={_field(value)}" for key, value in _fields(record).items())
        message = record.getMessage().replace("\n", "\\n").replace("\r", "\\r")
        line = f"{_time(record)} {record.levelname} {name}: {message}{fields}"
        return redact("\n".join(filter(None, [line, self._traceback(record)])))

    def _traceback(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class JsonLines(TextLines):
    """One JSON object a line: `at`, `level`, `logger`, `message`, the fields, and `traceback` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key, value in _fields(record).items() if key not in line})
        if record.exc_info:
            line["traceback"] = self._traceback(record)
        return redact(json.dumps(line, default=str, ensure_ascii=False))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What `extra` brought."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _field(value: object) -> str:
    text = str(value)
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(record.msecs):03d}Z"
