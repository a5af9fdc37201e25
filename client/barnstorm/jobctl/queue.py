"""`jobctl queue`: lists and screens of queues, and what operators do with them."""

from typing import Any, Optional

import click

from . import options
from .queue_files import apply, lint, schema
from .queue_marks import mark, unmark
from .tables import Column, Listing
from .words import ago, by_word

LISTING = Listing(
    columns=(
        Column("QUEUE", lambda one: one["name"]),
        Column("STATUS", lambda one: one.get("status"), styled=True),
        Column("SITE", lambda one: one.get("site")),
        Column("TYPE", lambda one: ((one.get("config") or {}).get("submitter") or {}).get("type", "local")),
        Column(
            "WAITING", lambda one: sum(int(lane.get("waiting") or 0) for lane in one.get("lanes") or []), right=True
        ),
        Column("RUNNING", lambda one: by_word(one.get("jobs")).get("running", 0), right=True),
        Column("WORKERS", lambda one: (one.get("workers") or {}).get("running", 0), right=True),
        Column("COMING", lambda one: _coming(one.get("workers") or {}), right=True),
        Column("HARVESTER", lambda one: one.get("harvester")),
        Column("SEEN", lambda one: ago(one.get("harvester_seen_at")), right=True),
    ),
    id_of=lambda one: one["name"],
    none="no queues; jobctl queue apply FILE",
)


def _waiting(lanes: list[dict[str, Any]]) -> int:
    return sum(int(lane.get("waiting") or 0) for lane in lanes)


def _coming(workers: dict[str, int]) -> int:
    return workers.get("planned", 0) + workers.get("submitted", 0)


@click.group()
def command() -> None:
    """Queues: where work runs."""


for verb in (lint, apply, mark, unmark, schema):
    command.add_command(verb)


@command.command()
@options.list_options("site", "state")
def ls(site: Optional[str], state: Optional[str], limit: Optional[int], form: str, watch: bool) -> None:
    """List queues; --state is a status such as online or offline.

    \b
    Examples:
      jobctl queue ls
      jobctl queue ls --site SLAC --state online -o ids
    """
    import itertools

    from ..model.marks import ORDER
    from .session import people
    from .task import show_or_watch

    if state is not None and state not in ORDER:
        raise click.BadParameter(f"a queue is never {state!r}; allowed: {', '.join(ORDER)}", param_hint="--state")
    api = people()

    def fetch() -> list[dict[str, Any]]:
        found = (
            one
            for one in api.queues()
            if (site is None or one.get("site") == site) and state in (None, one.get("status"))
        )
        return list(itertools.islice(found, options.limit_of(limit, form)))

    show_or_watch(fetch, LISTING, form, watch)


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="QUEUE...")
@click.option("--decisions", is_flag=True, help="The harvester's last decisions, and why.")
@options.form_option
def show(names: tuple[str, ...], decisions: bool, form: str) -> None:
    """Show queues: status and marks, lanes with the last decision of each, jobs, workers, what is accepted.

    \b
    Examples:
      jobctl queue show SLAC_Rubin
      jobctl queue show SLAC_Rubin --decisions
      jobctl queue show SLAC_Rubin -o json
    """
    if not decisions:
        from .screens import show_all

        show_all("queue", list(names), form)
        return
    from .session import people
    from .tables import show as print_list
    from .words import clock

    columns = (
        Column("TIME", lambda one: clock(one.get("at"))),
        Column("LANE", lambda one: one.get("lane")),
        Column("CHANGE", lambda one: f"{int(one.get('change', 0)):+d}", right=True),
        Column("WHY", lambda one: one.get("why")),
    )
    api = people()
    for name in names:
        print_list(api.decisions(name), Listing(columns, lambda one: one.get("lane"), "no decisions yet"), form)
