"""Sizes, times and key=value pairs as people write them, into the units of the model."""

import re
from typing import TYPE_CHECKING, Any, Callable, Optional

import click

_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:I?B)?\Z", re.IGNORECASE)
_MIB = {"K": 1 / 1024, "": 1.0, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h|d|w)?\Z", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_CLOCK = re.compile(r"(?:([0-9]+)-)?([0-9]+):([0-5][0-9]):([0-5][0-9])\Z")


def memory_mib(text: str) -> int:
    """`2000`, `500M`, `4G`, `1.5GiB` in MiB, rounded up. Raises ValueError."""
    found = _MEMORY.match(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size; write 2000 (MiB), 500M, 4G or 1.5T")
    size = float(found[1]) * _MIB[found[2].upper()]
    return int(-(-size // 1))


def seconds(text: str) -> int:
    """`3600`, `90m`, `12h`, `2d`, `01:30:00`, `2-12:00:00` in seconds. Raises ValueError; `01:30` has two readings."""
    text = text.strip()
    clock = _CLOCK.match(text)
    if clock:
        days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        return days * 86400 + hours * 3600 + minutes * 60 + rest
    span = _SPAN.match(text)
    if not span:
        raise ValueError(f"{text!r} is no time; write 3600 (seconds), 90m, 12h, 2d or 01:30:00")
    return int(-(-float(span[1]) * _SECONDS[(span[2] or "").lower()] // 1))


def pair(text: str) -> tuple[str, str]:
    """`key=value`. Raises ValueError."""
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise ValueError(f"{text!r} is no KEY=VALUE")
    return key, value


def whole(text: str) -> int:
    """A whole number; `1,000` and `1_000` too. Raises ValueError."""
    try:
        return int(text.replace(",", "").strip())
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # not generic before click 8.2


class Parsed(_ParamType):
    """A click type made of one of the functions above."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


MEMORY = Parsed("size", memory_mib)
TIME = Parsed("time", seconds)
PAIR = Parsed("key=value", pair)
NUMBER = Parsed("number", whole)
