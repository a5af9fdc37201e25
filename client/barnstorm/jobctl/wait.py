"""`jobctl wait`."""

from typing import Optional

import click

from ..model.ids import parse_task_or_job
from .quantities import TIME


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--timeout", type=TIME, metavar="TIME", help="Give up after this long (exit 6): 600, 10m, 2h.")
def command(ids: tuple[str, ...], timeout: Optional[int]) -> int:
    """Wait until tasks or jobs have ended.

    Exits 0 when all ended well, 1 when one did not, 6 when the time was over before that.

    \b
    Examples:
      jobctl wait 48213
      jobctl wait 48213 48214.7 --timeout 2h
      jobctl wait $(jobctl submit -o ids -- make all) && echo good
    """
    for one in ids:
        parse_task_or_job(one)
    from .session import people
    from .waiting import wait_for

    return wait_for(people(), list(dict.fromkeys(ids)), timeout)
