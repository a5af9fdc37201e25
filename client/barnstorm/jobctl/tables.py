"""Lists as tables, JSON or ids. A table is coloured and fits on a terminal; elsewhere it is plain, aligned, whole."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

from .words import STYLES

View = dict[str, Any]
WATCH_S = 2.0


@dataclass(frozen=True)
class Column:
    """A column: its title and how a cell is made of an item. `styled`: its text is a word with its own colour."""

    title: str
    cell: Callable[[View], object]
    right: bool = False
    styled: bool = False
    shrinks: bool = False


@dataclass(frozen=True)
class Listing:
    """What a list shows of its items, and which of their fields is the id."""

    columns: Sequence[Column]
    id_of: Callable[[View], object] = lambda item: item["id"]
    none: str = "nothing there"


def show(items: Iterable[View], listing: Listing, form: str) -> None:
    """Print items in the form that was asked for: table, json or ids."""
    if form == "json":
        print_json(list(items))
    elif form == "ids":
        for item in items:
            sys.stdout.write(f"{listing.id_of(item)}\n")
    else:
        print_table(list(items), listing)


def watch(fetch: Callable[[], list[View]], listing: Listing) -> None:
    """Print the table again and again until Ctrl-C; in place on a terminal."""
    if not sys.stdout.isatty():
        while True:
            print_table(fetch(), listing)
            sys.stdout.write("\n")
            sys.stdout.flush()
            time.sleep(WATCH_S)
    from rich.live import Live

    with Live(_rich(fetch(), listing), auto_refresh=False, screen=False) as live:
        while True:
            time.sleep(WATCH_S)
            live.update(_rich(fetch(), listing), refresh=True)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(items: list[View], listing: Listing) -> None:
    if not items:
        if sys.stdout.isatty():
            sys.stderr.write(listing.none + "\n")
        return
    if sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(_rich(items, listing))
    else:
        sys.stdout.write(plain(items, listing.columns))


def plain(items: list[View], columns: Sequence[Column]) -> str:
    """The table as text: columns two blanks apart, nothing cut."""
    rows = [[column.title for column in columns]]
    rows += [[_text(column.cell(item)) for column in columns] for item in items]
    widths = [max(len(row[n]) for row in rows) for n in range(len(columns))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(row, widths, columns)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _rich(items: list[View], listing: Listing) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in listing.columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=8 if column.shrinks else None,
            ratio=None,
        )
    for item in items:
        cells = []
        for column in listing.columns:
            text = _text(column.cell(item))
            cells.append(Text(text, style=STYLES.get(text, "") if column.styled else _calm(column, text)))
        table.add_row(*cells)
    return table


def _calm(column: Column, text: str) -> str:
    """Zeros step back; failures that are there do not."""
    if column.title in ("FAILED", "FAILURES") and text not in ("", "0"):
        return "red"
    return "dim" if text in ("0", "-") else ""


def _text(cell: Union[object, None]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    return printable(str(cell))


def printable(text: str) -> str:
    """One line without control signs: a job's name must not be able to move the cursor."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
