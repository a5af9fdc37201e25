"""`jobctl explain`."""

import click

from . import options


@click.command()
@click.argument("name", metavar="(JOB | TASK | QUEUE)")
@options.form_option
def command(name: str, form: str) -> None:
    """Say why a job, task or queue is as it is: what it needs, which queues fit, what would change it.

    \b
    Examples:
      jobctl explain 48213.7
      jobctl explain 48213
      jobctl explain SLAC_Rubin
    """
    from .layout import say
    from .screen_explain import lines
    from .session import people
    from .show import noun_of
    from .tables import print_json

    noun = {"task": "tasks", "job": "jobs"}.get(noun_of(name), "queues")
    found = people().explain(noun, name.partition("/")[0])
    if form == "json":
        print_json(found)
    elif form == "ids":
        say([str(found["id"])])
    else:
        say(lines(found))
