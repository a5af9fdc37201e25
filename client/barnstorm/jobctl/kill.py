"""`jobctl kill`."""

import sys
from typing import Any, Optional

import click

from ..model.ids import parse_task_or_job
from ..model.states import TASK
from . import exits, options
from .quantities import PAIR
from .words import ended as ended_jobs
from .words import plural

ASK_ABOVE = 100
AT_ONCE = 1000


@click.command()
@click.argument("ids", nargs=-1, metavar="[TASK | JOB]...")
@click.option(
    "-l", "--label", "labels", type=PAIR, multiple=True, metavar="KEY=VALUE", help="All tasks with this label."
)
@click.option("--name", metavar="TEXT", help="All tasks of this name.")
@click.option("--user", metavar="USER", help="All tasks of this user; `me` is you.")
@click.option("--state", metavar="STATE", help="All tasks in this state.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept with the jobs.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask when more than 100 jobs would be ended.")
def command(
    ids: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
    name: Optional[str],
    user: Optional[str],
    state: Optional[str],
    reason: str,
    dry_run: bool,
    yes: bool,
) -> int:
    """End tasks or jobs. What has ended already stays as it is.

    \b
    Examples:
      jobctl kill 48213
      jobctl kill 48213.7 48213.9 --reason "wrong geometry"
      jobctl kill --user me -l campaign=test --dry-run
    """
    from .session import people

    selected = bool(labels or name or user or state)
    if bool(ids) == selected:
        raise click.UsageError("name tasks or jobs, or select tasks by --label, --name, --user or --state")
    for one in ids:
        parse_task_or_job(one)
    api = people()
    wanted, jobs = _given(api, ids) if ids else _selected(api, labels, name, user, state)
    if not wanted:
        click.echo("nothing that goes on matches", err=True)
        return exits.OK
    if dry_run:
        for one in wanted:
            click.echo(one)
        click.echo(f"would end up to {jobs:,} jobs in {len(wanted):,} tasks or jobs", err=True)
        return exits.OK
    if jobs > ASK_ABOVE and not yes:
        _ask(jobs)
    killed = ended = 0
    for first in range(0, len(wanted), AT_ONCE):
        done = api.kill(wanted[first : first + AT_ONCE], reason)
        killed, ended = killed + int(done["killed"]), ended + int(done["already_ended"])
    click.echo(f"{plural(killed, 'job')} ended" + (f"; {ended:,} of what was named had ended before" if ended else ""))
    return exits.OK


def _ask(jobs: int) -> None:
    if not sys.stdin.isatty():
        raise exits.Stop(f"this would end {jobs:,} jobs; say -y where nobody can be asked")
    if not click.confirm(f"end {jobs:,} jobs?", err=True):
        raise exits.Stop("nothing was ended")


def _given(api: Any, ids: tuple[str, ...]) -> tuple[list[str], int]:
    """The ids, and how many jobs they are about. Tasks are looked up only where the answer may be a question."""
    wanted = list(dict.fromkeys(ids))
    jobs = sum(1 for one in wanted if "." in one)
    for one in wanted:
        if "." not in one:
            jobs += _live_jobs(api.task(int(one)))
    return wanted, jobs


def _selected(api: Any, labels: Any, name: Any, user: Any, state: Any) -> tuple[list[str], int]:
    from .filters import matching, states_of, user_of

    states = states_of("task", state) or sorted(TASK.live)
    filters = options.given(label=options.labels_of(labels), name=name, user=user_of(api, user))
    tasks = [task for task in matching(api.tasks, filters, states, None) if task["state"] in TASK.live]
    return [str(task["id"]) for task in tasks], sum(_live_jobs(task) for task in tasks)


def _live_jobs(task: Any) -> int:
    return int(task["jobs"]) - ended_jobs(task.get("counts"))
