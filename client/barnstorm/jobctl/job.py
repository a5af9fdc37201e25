"""`jobctl job`: lists and screens of jobs."""

from typing import Any, Optional

import click

from . import options
from .tables import Column, Listing
from .words import ago, duration, job_word

View = dict[str, Any]


def took(job: View) -> str:
    """How long the last attempt ran, or has been running."""
    if job.get("started_at") is None:
        return ""
    if job.get("ended_at") is None:
        return ago(job["started_at"])
    return duration(float(job["ended_at"]) - float(job["started_at"]))


def ending(job: View) -> str:
    """Its exit code, or the kind of fault."""
    if job.get("fault") and job["fault"] != "exit":
        return str(job["fault"])
    return "" if job.get("exit_code") is None else f"exit {job['exit_code']}"


LISTING = Listing(
    columns=(
        Column("JOB", lambda job: str(job["id"]), right=True),
        Column("NAME", lambda job: job.get("name"), shrinks=True),
        Column("STATE", job_word, styled=True),
        Column("ENDED", ending),
        Column("TRIES", lambda job: int(job.get("attempts") or 0), right=True),
        Column("QUEUE", lambda job: job.get("queue")),
        Column("NODE", lambda job: job.get("node")),
        Column("TIME", took, right=True),
        Column("MEMORY", lambda job: job.get("peak_memory_mib") and f"{job['peak_memory_mib']:,.0f} MiB", right=True),
    ),
    none="no jobs",
)


@click.group()
def command() -> None:
    """Jobs: the units that pilots run."""


@command.command()
@click.argument("task", required=False, metavar="[TASK]")
@options.list_options("queue", "user", "state")
def ls(
    task: Optional[str],
    queue: Optional[str],
    user: Optional[str],
    state: Optional[str],
    limit: Optional[int],
    form: str,
    watch: bool,
) -> None:
    """List the jobs of a task by index, or all jobs, newest task first.

    \b
    Examples:
      jobctl job ls 48213 --state failed
      jobctl job ls --queue SLAC_Rubin --state running
    """
    from ..model.ids import parse_task
    from .filters import matching, states_of, user_of
    from .session import people
    from .task import show_or_watch

    states = states_of("job", state)
    number = None if task is None else parse_task(task)
    if number is not None and (queue or user):
        raise click.UsageError("--queue and --user are for all jobs, not for those of one task")
    api = people()
    filters = options.given(task=number, queue=queue, user=user_of(api, user))

    def fetch() -> list[View]:
        return list(matching(api.jobs, filters, states, options.limit_of(limit, form)))

    show_or_watch(fetch, LISTING, form, watch)


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="JOB...")
@options.form_option
def show(ids: tuple[str, ...], form: str) -> None:
    """Show jobs: attempts, times, exit codes, memory, CPU, outputs, where the logs are.

    \b
    Examples:
      jobctl job show 48213.7
      jobctl job show 48213.7/2
    """
    from .screens import show_all

    show_all("job", list(ids), form)
