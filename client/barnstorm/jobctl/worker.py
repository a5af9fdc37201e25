"""`jobctl worker`."""

from typing import Any, Optional

import click

from . import exits, options
from .tables import Column, Listing
from .words import ago

LISTING = Listing(
    columns=(
        Column("WORKER", lambda one: one["id"], right=True),
        Column("STATE", lambda one: f"{one.get('state')}{' ?' if one.get('unknown') else ''}", styled=True),
        Column("QUEUE", lambda one: one.get("queue")),
        Column("LANE", lambda one: one.get("lane")),
        Column("BATCH ID", lambda one: one.get("batch_id")),
        Column("NODE", lambda one: one.get("node")),
        Column("PILOT", lambda one: one.get("pilot")),
        Column("CORES", lambda one: (one.get("shape") or {}).get("cores", 1), right=True),
        Column("AGE", lambda one: ago(one.get("created_at")), right=True),
        Column("SAID", lambda one: one.get("message"), shrinks=True),
    ),
    none="no workers",
)


@click.group()
def command() -> None:
    """Workers: what harvesters submitted to batch systems."""


@command.command()
@options.list_options("queue", "state")
def ls(queue: Optional[str], state: Optional[str], **form: Any) -> None:
    """List workers; `--state live` leaves out those that have ended. A `?` marks those the batch system does not know.

    \b
    Examples:
      jobctl worker ls --state live
      jobctl worker ls --queue SLAC_Rubin --state failed
    """
    from .things import list_things

    list_things("worker", LISTING, queue, state, **form)


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="WORKER...")
@options.form_option
def show(ids: tuple[str, ...], form: str) -> None:
    """Show workers: state, batch id, why they were started, the end of their own log.

    \b
    Example:
      jobctl worker show w88123
    """
    from .screens import show_all

    show_all("worker", list(ids), form)


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="WORKER...")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
def kill(ids: tuple[str, ...], reason: str) -> int:
    """End workers: their harvester takes them out of the batch system; their jobs are tried elsewhere.

    \b
    Example:
      jobctl worker kill w88123 --reason "bad node"
    """
    from ..model.ids import parse_prefixed
    from .session import people

    for one in ids:
        parse_prefixed("w", one)
    api = people()
    for one in ids:
        api.kill_worker(one, reason)
        click.echo(f"{one}: its harvester will end it")
    return exits.OK
