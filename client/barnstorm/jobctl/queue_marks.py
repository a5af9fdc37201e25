"""`jobctl queue mark` and `unmark`: the words on a queue that make its status."""

import time
from typing import Optional

import click

from ..model.marks import ORDER
from . import exits
from .quantities import Parsed, seconds

_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def moment(text: str) -> float:
    """`2h`, `3d` from now, or a local time such as `2025-11-25T18:00`. Raises ValueError."""
    for form in _FORMS:
        try:
            return time.mktime(time.strptime(text, form))
        except ValueError:
            continue
    try:
        return time.time() + seconds(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2h, 3d or 2025-11-25T18:00") from None


MOMENT = Parsed("time", moment)


@click.command()
@click.argument("queue")
@click.argument("status", type=click.Choice(ORDER))
@click.option("--why", default="", metavar="TEXT", help="Why; everybody who looks at the queue reads it.")
@click.option("--until", type=MOMENT, metavar="TIME", help="When it ends by itself: 2h, 3d, 2025-11-25T18:00.")
def mark(queue: str, status: str, why: str, until: Optional[float]) -> int:
    """Put a mark on a queue. Its status is the most restrictive of its marks.

    \b
    brokeroff   only for jobs that name the queue
    test        only for test jobs
    draining    running jobs finish, nothing new
    paused      the same, and pilots stay
    offline     nothing new; running jobs go on
    retired     gone for good; its name and history stay

    \b
    Examples:
      jobctl queue mark LANCS brokeroff --why "Butler outage" --until 2h
      jobctl queue mark SLAC_Rubin draining --why "downtime at 8" --until 2025-11-25T18:00
    """
    from .session import people

    made = people().mark(queue, status, why, until)
    click.echo(f"{queue}: mark {made.get('id')}, {status}" + (f" until {_clock(until)}" if until else ""))
    return exits.OK


@click.command()
@click.argument("queue")
@click.argument("marks", nargs=-1, type=int, metavar="[MARK]...")
@click.option("--all", "every", is_flag=True, help="All its marks.")
def unmark(queue: str, marks: tuple[int, ...], every: bool) -> int:
    """Take marks off a queue: those named, or its only one.

    \b
    Examples:
      jobctl queue unmark LANCS
      jobctl queue unmark LANCS 12 13
      jobctl queue unmark LANCS --all
    """
    from .session import people

    api = people()
    there = [int(one["id"]) for one in api.queue(queue).get("marks") or []]
    wanted = list(marks) or (there if every or len(there) == 1 else [])
    if not wanted:
        if not there:
            click.echo(f"{queue} has no marks", err=True)
            return exits.OK
        listed = " ".join(map(str, there))
        raise click.UsageError(f"{queue} has {len(there)} marks: {listed}; name some, or --all")
    for one in wanted:
        api.unmark(queue, one)
    click.echo(f"{queue}: {api.queue(queue).get('status')}")
    return exits.OK


def _clock(at: float) -> str:
    from .words import clock

    return clock(at)
