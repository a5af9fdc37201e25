"""`jobctl logout`."""

from typing import Optional

import click

from . import exits


@click.command()
@click.argument("name", required=False)
def command(name: Optional[str]) -> int:
    """Forget the token of a context; of the current one when none is named. The token itself stays valid:
    `jobctl token revoke` ends it.

    \b
    Examples:
      jobctl logout
      jobctl logout prod
    """
    from dataclasses import replace

    from ..contexts import load
    from .session import context_name

    contexts = load()
    name = name or context_name() or contexts.current
    if not name or not contexts.named(name).token:
        click.echo("not logged in", err=True)
        return exits.OK
    contexts.put(replace(contexts.named(name), token=""), use=False)
    contexts.save()
    click.echo(f"logged out of context {name}")
    return exits.OK
