"""The log: fields, one line an event, no token."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from barnstorm_server.journal import redact, set_up

JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl-_x"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_text(out: io.StringIO) -> None:
    set_up("info", "text", out)
    log = logging.getLogger("barnstorm.leases")
    log.debug("not this")
    log.info("granted %d", 3, extra={"pilot": "p9", "why": "two words", "empty": ""})
    stamp, line = out.getvalue().split(" ", 1)
    assert line == 'INFO leases: granted 3 pilot=p9 why="two words" empty=""\n'
    assert len(stamp) == len("2026-11-21T02:41:07.123Z")


def test_a_message_is_one_line(out: io.StringIO) -> None:
    set_up("info", "text", out)
    logging.getLogger("barnstorm").info("a\n2026 ERROR forged", extra={"name_": "b\nc"})
    assert out.getvalue().count("\n") == 1


def test_json(out: io.StringIO) -> None:
    set_up("warning", "json", out)
    try:
        raise ValueError(f"no good: {JWT}")
    except ValueError:
        logging.getLogger("barnstorm.http").exception("failed", extra={"job": "4.7", "header": f"Bearer {JWT}"})
    line = json.loads(out.getvalue())
    assert (line["level"], line["logger"], line["message"], line["job"]) == ("error", "barnstorm.http", "failed", "4.7")
    assert "ValueError: no good: [token]" in line["traceback"]
    assert line["header"] == "Bearer [token]"


def test_setting_up_twice_writes_once(out: io.StringIO) -> None:
    set_up("info", "text", out)
    set_up("info", "text", out)
    logging.getLogger("barnstorm").info("once")
    assert out.getvalue().count("once") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"token {JWT}, then", "token [token], then"),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer [token]"),
        ("authorization: bearer abc.def", "authorization: bearer [token]"),
        ('{"authorization": "Bearer secret"}', '{"authorization": "Bearer [token]"}'),
        (f"https://h/x?token={JWT}&y=1", "https://h/x?token=[token]&y=1"),
        (JWT.rsplit(".", 1)[0], "[token]"),
        ("the bearer of news", "the bearer [token] news"),
        ("nothing to hide: a.b.c 1.2.3 eyJ", "nothing to hide: a.b.c 1.2.3 eyJ"),
    ],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_tokens_are_cut_from_messages_arguments_and_tracebacks(out: io.StringIO) -> None:
    set_up("info", "text", out)
    try:
        raise RuntimeError(JWT)
    except RuntimeError:
        logging.getLogger("x").exception("said %s", JWT, extra={"token": JWT})
    assert "eyJ" not in out.getvalue()
    assert out.getvalue().count("[token]") == 3
