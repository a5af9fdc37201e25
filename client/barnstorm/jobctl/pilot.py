"""`jobctl pilot`."""

from typing import Any, Optional

import click

from . import options
from .tables import Column, Listing
from .words import ago

LISTING = Listing(
    columns=(
        Column("PILOT", lambda one: one["id"], right=True),
        Column("STATE", lambda one: one.get("state"), styled=True),
        Column("QUEUE", lambda one: one.get("queue")),
        Column("NODE", lambda one: one.get("node")),
        Column("WORKER", lambda one: one.get("worker")),
        Column("CORES", lambda one: (one.get("shape") or {}).get("cores", 1), right=True),
        Column("SEEN", lambda one: ago(one.get("seen_at")), right=True),
        Column("AGE", lambda one: ago(one.get("created_at")), right=True),
        Column("WHY", lambda one: one.get("why") or one.get("refused"), shrinks=True),
    ),
    none="no pilots",
)


@click.group()
def command() -> None:
    """Pilots: the agents on worker nodes that run jobs."""


@command.command()
@options.list_options("queue", "state")
def ls(queue: Optional[str], state: Optional[str], **form: Any) -> None:
    """List pilots; `--state live` leaves out those that are gone.

    \b
    Examples:
      jobctl pilot ls --state live
      jobctl pilot ls --queue SLAC_Rubin --state lost
    """
    from .things import list_things

    list_things("pilot", LISTING, queue, state, **form)


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="PILOT...")
@options.form_option
def show(ids: tuple[str, ...], form: str) -> None:
    """Show pilots: node, facts, checks, what they hold.

    \b
    Example:
      jobctl pilot show p90012
    """
    from .screens import show_all

    show_all("pilot", list(ids), form)
