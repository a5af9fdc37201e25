"""The parts that screens are made of: a head, labelled lines, indented tables. Colour only where somebody looks."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import click

from .tables import Column, plain, printable
from .words import STYLES

LABEL = 10
_CLICK = {"dim": {"dim": True}, "": {}}


def styled(text: str, word: Optional[str] = None) -> str:
    """`text` in the colour of `word` (of itself when none is given)."""
    style = STYLES.get(word if word is not None else text, "")
    if not style or os.environ.get("NO_COLOR"):
        return text
    options: dict[str, Any] = _CLICK.get(style, {"fg": style})
    return click.style(text, **options)


def bold(text: str) -> str:
    return text if os.environ.get("NO_COLOR") else click.style(text, bold=True)


def labelled(pairs: Iterable[tuple[str, Optional[str]]]) -> list[str]:
    """`Label     text` for each pair that has a text; further lines of a text are indented."""
    lines = []
    for label, text in pairs:
        if not text:
            continue
        first, *rest = text.split("\n")
        lines.append(f"{label:<{LABEL}}{first}".rstrip())
        lines += [" " * LABEL + line for line in rest]
    return lines


def indented(items: Sequence[dict[str, Any]], columns: Sequence[Column]) -> list[str]:
    """A table below a label; columns in which nothing stands are left out."""
    used = [column for column in columns if any(column.cell(item) not in (None, "") for item in items)]
    return ["  " + line for line in plain(list(items), used).splitlines()]


def say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def pairs_text(values: Optional[dict[str, Any]], most: int = 12) -> str:
    """`a=1 · b=2 …`."""
    parts = [printable(f"{key}={value}") for key, value in (values or {}).items()]
    more = f" · … {len(parts) - most} more" if len(parts) > most else ""
    return " · ".join(part[:200] for part in parts[:most]) + more
