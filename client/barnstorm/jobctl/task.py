"""`jobctl task`, and `jobctl ls`: the list of tasks."""

import sys
from typing import Any, Optional

import click

from . import options
from .tables import Column, Listing, show, watch
from .words import ago, by_word, ended, task_word

View = dict[str, Any]
BAR = 10


def progress(task: View) -> str:
    """Ended jobs of all: with a bar on a terminal."""
    total, done = int(task["jobs"]), ended(task.get("counts"))
    numbers = f"{done:,}/{total:,}"
    if not sys.stdout.isatty():
        return numbers
    full = done * BAR // max(total, 1)
    return "━" * full + "╌" * (BAR - full) + " " + numbers


LISTING = Listing(
    columns=(
        Column("TASK", lambda task: str(task["id"]), right=True),
        Column("NAME", lambda task: task.get("name"), shrinks=True),
        Column("STATE", task_word, styled=True),
        Column("PROGRESS", progress),
        Column("RUNNING", lambda task: by_word(task.get("counts")).get("running", 0), right=True),
        Column("FAILED", lambda task: by_word(task.get("counts")).get("failed", 0), right=True),
        Column("AGE", lambda task: ago(task.get("created_at")), right=True),
        Column("OWNER", lambda task: task.get("owner")),
    ),
    none="no tasks; try: jobctl submit -- echo hello",
)


@click.command()
@options.list_options("label", "name", "user", "state")
def ls(
    labels: tuple[tuple[str, str], ...],
    name: Optional[str],
    user: Optional[str],
    state: Optional[str],
    limit: Optional[int],
    form: str,
    watch: bool,
) -> None:
    """List tasks, newest first.

    \b
    Examples:
      jobctl ls --user me --state running
      jobctl ls -l campaign=DM-43178 -o ids
      jobctl ls -w
      jobctl task ls --name drp-w48
    """
    from .filters import matching, states_of, user_of
    from .session import people

    states = states_of("task", state)
    api = people()
    filters = options.given(label=options.labels_of(labels), name=name, user=user_of(api, user))

    def fetch() -> list[View]:
        return list(matching(api.tasks, filters, states, options.limit_of(limit, form)))

    show_or_watch(fetch, LISTING, form, watch)


def show_or_watch(fetch: Any, listing: Listing, form: str, again: bool) -> None:
    """A list once, or again and again."""
    if again and form == "table":
        watch(fetch, listing)
        return
    items = fetch()
    show(items, listing, form)
    if form == "table" and len(items) == options.DEFAULT_LIMIT:
        click.echo(f"the first {len(items)}; more: --limit N, or --limit 0 for all", err=True)


@click.group()
def command() -> None:
    """Tasks: one step of work each, made of jobs."""


command.add_command(ls, "ls")


@command.command("show")
@click.argument("ids", nargs=-1, required=True, metavar="TASK...")
@options.form_option
def show_task(ids: tuple[str, ...], form: str) -> None:
    """Show tasks: their jobs' states, what they ask for, what they run.

    \b
    Examples:
      jobctl task show 48213
      jobctl task show 48213 -o json
    """
    from ..model.ids import parse_task
    from .screens import show_all

    show_all("task", [str(parse_task(one)) for one in ids], form)
