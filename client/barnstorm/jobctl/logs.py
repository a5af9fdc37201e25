"""`jobctl logs`: the bytes a job wrote, as they are."""

import sys
from typing import Optional

import click

from ..model.ids import parse_task_or_job
from . import exits


@click.command()
@click.argument("name", metavar="JOB")
@click.option("-f", "--follow", is_flag=True, help="Go on printing while the job runs, over its retries too.")
@click.option("--stderr", "stream", flag_value="stderr", help="The standard error, not the standard output.")
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="N", help="The log of this attempt, not of the last one."
)
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of what is there.")
@click.option("--all", "every", is_flag=True, help="Of a task: the logs of all its jobs, one after the other.")
def command(
    name: str, follow: bool, stream: Optional[str], attempt: Optional[int], tail: Optional[int], every: bool
) -> int:
    """Print what a job wrote. A task's id will do where it has one job.

    \b
    Examples:
      jobctl logs 48213.7 -f
      jobctl logs 48213.7 --stderr --attempt 1 --tail 50
      jobctl logs 48213 --all | grep -a limit
    """
    from .logtail import Log, jobs_of
    from .session import people

    job_name, _, number = name.partition("/")
    if number:
        from ..model.ids import parse_attempt

        attempt = parse_attempt(name).number
    task, index = parse_task_or_job(job_name)
    if every and follow:
        raise click.UsageError("--all prints logs that are there; -f follows one job")
    api = people()
    if every and index is None:
        for job in jobs_of(api, task):
            sys.stdout.write(f"==> {job['id']} <==\n")
            sys.stdout.flush()
            Log(api, str(job["id"]), stream or "stdout", attempt).print(tail)
        return exits.OK
    if index is None:
        view = api.task(task)
        if int(view["jobs"]) != 1:
            text = f"task {task} has {int(view['jobs']):,} jobs; say which one"
            raise exits.Stop(text, exits.USAGE, [f"try: jobctl logs {task}.0, or jobctl logs {task} --all"])
        index = 0
    log = Log(api, f"{task}.{index}", stream or "stdout", attempt)
    if follow:
        log.follow(tail)
    elif not log.print(tail):
        log.say_when_empty()
    return exits.OK
