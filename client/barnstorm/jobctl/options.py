"""Options that many commands share."""

from collections.abc import Iterable
from typing import Any, Callable, Optional

import click

from .quantities import PAIR

Command = Callable[..., Any]
DEFAULT_LIMIT = 100


def form_option(command: Command) -> Command:
    """`-o table|json|ids`, the long forms `--format` and `--output`."""
    choice = click.Choice(["table", "json", "ids"])
    return click.option("-o", "--format", "--output", "form", type=choice, default="table", help="How to print it.")(
        command
    )


def list_options(*filters: str) -> Callable[[Command], Command]:
    """The options of a list: those of its `filters`, then --limit, -o and -w."""
    known = {
        "label": click.option(
            "-l", "--label", "labels", type=PAIR, multiple=True, metavar="KEY=VALUE", help="With this label."
        ),
        "name": click.option("--name", metavar="TEXT", help="With this name."),
        "queue": click.option("--queue", metavar="QUEUE", help="At this queue."),
        "site": click.option("--site", metavar="SITE", help="At this site."),
        "user": click.option("--user", metavar="USER", help="Of this user; `me` is you."),
        "state": click.option(
            "--state", metavar="STATE", help="In this state, in the words of the tables or the finer ones."
        ),
    }

    def decorate(command: Command) -> Command:
        command = click.option("-w", "--watch", is_flag=True, help="Show it again every 2 s until Ctrl-C.")(command)
        command = form_option(command)
        limit = click.option("--limit", type=click.IntRange(min=0), help="At most so many; 0: all. Tables: 100.")
        command = limit(command)
        for name in reversed(filters):
            command = known[name](command)
        return command

    return decorate


def limit_of(limit: Optional[int], form: str) -> Optional[int]:
    """How many items to fetch: tables stop at 100 unless told; ids and JSON, which other programs read, are whole."""
    if limit is None:
        return DEFAULT_LIMIT if form == "table" else None
    return limit or None


def labels_of(pairs: Iterable[tuple[str, str]]) -> Optional[list[str]]:
    """Label options as the server's filter takes them."""
    found = [f"{key}={value}" for key, value in pairs]
    return found or None


def given(**filters: Any) -> dict[str, Any]:
    """The filters that were given."""
    return {name: value for name, value in filters.items() if value not in (None, "", [], ())}


EXAMPLES = "\b\nExamples:\n"
