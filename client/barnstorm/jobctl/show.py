"""`jobctl show`: whatever an id names."""

import re

import click

from . import options

_NOUNS = (
    ("task", re.compile(r"[0-9]+\Z")),
    ("job", re.compile(r"[0-9]+\.[0-9]+(/[0-9]+)?\Z")),
    ("worker", re.compile(r"w[0-9]+\Z")),
    ("pilot", re.compile(r"p[0-9]+\Z")),
)


def noun_of(name: str) -> str:
    """The noun that an id belongs to; any other name is a queue's."""
    return next((noun for noun, pattern in _NOUNS if pattern.match(name)), "queue")


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.form_option
def command(ids: tuple[str, ...], form: str) -> None:
    """Show a task (48213), job (48213.7), attempt (48213.7/2), worker (w88123), pilot (p90012) or queue (its name).

    \b
    Examples:
      jobctl show 48213
      jobctl show 48213.7 w88123
      jobctl show SLAC_Rubin -o json
    """
    from .screens import print_views, view_of
    from .session import people

    api = people()
    print_views([(noun_of(one), one, view_of(api, noun_of(one), one)) for one in ids], form)
