"""`jobctl retry`."""

from typing import Optional

import click

from ..model.ids import parse_task_or_job, ranges
from . import exits
from .quantities import TIME


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="(TASK | JOB)...")
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit 1 if a job failed.")
@click.option("--timeout", type=TIME, metavar="TIME", help="With --wait: give up waiting then (exit 6).")
@click.option(
    "-o",
    "--format",
    "--output",
    "form",
    type=click.Choice(["table", "json", "ids"]),
    default="table",
    help="How to print it.",
)
def command(ids: tuple[str, ...], wait: bool, timeout: Optional[int], form: str) -> int:
    """Run the failed jobs of an ended task again, or the jobs that are named, as a new task.

    \b
    Examples:
      jobctl retry 48213
      jobctl retry 48213.7 48213.9 --wait
    """
    from .session import people
    from .submit import announce
    from .waiting import wait_for

    asked: dict[int, Optional[list[int]]] = {}
    for one in ids:
        task, index = parse_task_or_job(one)
        if index is None:
            asked[task] = None
        elif asked.get(task, []) is not None:
            asked[task] = [*(asked.get(task) or []), index]
    api = people()
    made = []
    for task, indices in asked.items():
        view = api.retry(task, None if indices is None else ranges(indices))
        announce(view, form)
        made.append(str(view["id"]))
    return wait_for(api, made, timeout) if wait else exits.OK
