"""`jobctl whoami`."""

import click

from . import options


@click.command()
@options.form_option
def command(form: str) -> None:
    """Say who you are to the server, and until when.

    \b
    Examples:
      jobctl whoami
      jobctl whoami -o json
    """
    from .layout import labelled, say
    from .session import CommandConnection, people
    from .tables import print_json
    from .words import clock

    api = people()
    who = api.whoami()
    if form == "json":
        print_json(who)
        return
    if form == "ids":
        say([str(who["subject"])])
        return
    assert isinstance(api.connection, CommandConnection)
    context = api.connection.context
    pairs = [
        ("Subject", str(who["subject"])),
        ("Kind", str(who.get("kind") or "")),
        ("Groups", ", ".join(who.get("groups") or [])),
        ("Roles", ", ".join(who.get("roles") or [])),
        ("Queues", ", ".join(who.get("queues") or [])),
        ("Until", clock(who.get("expires_at"))),
        ("Server", context.server),
        ("Context", context.name),
    ]
    say(labelled(pairs))
