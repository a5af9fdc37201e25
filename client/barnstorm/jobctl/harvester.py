"""`jobctl harvester`."""

from typing import Any

import click

from . import options
from .tables import Column, Listing
from .words import ago, clock

LISTING = Listing(
    columns=(
        Column("HARVESTER", lambda one: one["name"]),
        Column("HOST", lambda one: one.get("host")),
        Column("VERSION", lambda one: one.get("version")),
        Column("SUBMITTERS", lambda one: ", ".join(one.get("submitters") or [])),
        Column("STOPPED", lambda one: clock(one.get("stopped_at"))),
        Column("SEEN", lambda one: ago(one.get("seen_at")), right=True),
    ),
    id_of=lambda one: one["name"],
    none="no harvester has called yet",
)


@click.group()
def command() -> None:
    """Harvesters: they turn waiting work into workers."""


@command.command()
@options.list_options()
def ls(**form: Any) -> None:
    """List harvesters.

    \b
    Example:
      jobctl harvester ls
    """
    from .things import list_things

    list_things("harvester", LISTING, None, None, **form)


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="HARVESTER...")
@options.form_option
def show(names: tuple[str, ...], form: str) -> None:
    """Show harvesters: host, version, queues, what their batch systems last said.

    \b
    Example:
      jobctl harvester show usdf-edge
    """
    from .screens import show_all

    show_all("harvester", list(names), form)
