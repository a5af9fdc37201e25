"""Exit codes, and the words for each error: what was wrong, where, what to do. Never a traceback."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import click

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
UNREACHABLE = 5
TIMED_OUT = 6
INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141


class Stop(click.ClickException):
    """Ends the command with a message and a code; `hints` are further lines, such as what to type next."""

    def __init__(self, message: str, code: int = USAGE, hints: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.hints = list(hints)


class Failure(NamedTuple):
    """What is said of an error, line by line, and the exit code."""

    lines: list[str]
    code: int


def describe(error: BaseException) -> Optional[Failure]:
    """The words and the code for an error; None for one that nobody foresaw."""
    if isinstance(error, Stop):
        return Failure([f"error: {error.message}", *error.hints] if error.message else [], error.code)
    if isinstance(error, click.UsageError):
        return Failure(_usage(error), USAGE)
    if isinstance(error, click.ClickException):
        return Failure([f"error: {error.format_message()}"], error.exit_code)
    found = _of_client(error)
    if found is None and isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure([f"error: {where}{error.strerror or error}"], USAGE)
    return found


def _usage(error: click.UsageError) -> list[str]:
    lines = [f"error: {error.format_message()}"]
    if error.ctx is not None:
        lines.append(f"try: {error.ctx.command_path} --help")
    return lines


def _of_client(error: BaseException) -> Optional[Failure]:
    """Errors of the client's own parts; they are imported here, for a command that goes well needs none of them."""
    from ..api.errors import ApiError, Unreachable
    from ..contexts import ContextError
    from ..jsonfile import BadFile
    from ..model.ids import InvalidId
    from ..model.task import InvalidSpec

    if isinstance(error, BadFile):
        return Failure([str(one) for one in error.problems], USAGE)
    if isinstance(error, InvalidSpec):
        return Failure([f"error: {error}", *_allowed(error.allowed, str(error))], USAGE)
    if isinstance(error, ApiError):
        return _of_api(error)
    if isinstance(error, Unreachable):
        return Failure([f"error: the server cannot be reached: {error}"], UNREACHABLE)
    if isinstance(error, ContextError):
        return Failure([f"error: {error}"], DENIED if "not logged in" in str(error) else USAGE)
    if isinstance(error, InvalidId):
        return Failure([f"error: {error}"], USAGE)
    return None


def _of_api(error: Any) -> Failure:
    from ..api.errors import Busy, Denied, NotFound

    lines = [f"error: {error}"]
    if isinstance(error, Denied):
        hint = ["log in again: jobctl login"] if error.status == 401 else []
        return Failure([*lines, *_allowed(error.allowed, str(error)), *hint], DENIED)
    if isinstance(error, NotFound):
        return Failure(lines, NOT_FOUND)
    if isinstance(error, Busy) or error.status >= 500:
        return Failure(lines, UNREACHABLE)
    return Failure([*lines, *_allowed(error.allowed, str(error))], USAGE)


def _allowed(allowed: Any, said: str) -> list[str]:
    """What is allowed, unless the message has said all of it."""
    if allowed is None or allowed == "" or allowed == []:
        return []
    if isinstance(allowed, (list, tuple)):
        words = [str(one) for one in allowed]
        return [] if all(word in said for word in words) else ["allowed: " + ", ".join(words)]
    text = allowed if isinstance(allowed, str) else json.dumps(allowed)
    return [] if text in said else [f"allowed: {text}"]
