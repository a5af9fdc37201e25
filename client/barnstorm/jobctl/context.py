"""`jobctl context`: the servers you are logged in to."""

from typing import Any, Optional

import click

from . import exits, options
from .tables import Column, Listing, print_json
from .tables import show as print_list

LISTING = Listing(
    columns=(
        Column("", lambda one: "*" if one["current"] else ""),
        Column("NAME", lambda one: one["name"]),
        Column("SERVER", lambda one: one["server"]),
        Column("TOKEN", lambda one: "kept" if one["logged_in"] else "none"),
    ),
    id_of=lambda one: one["name"],
    none="no contexts; jobctl login --server URL",
)


@click.group()
def command() -> None:
    """Contexts: servers with the tokens for them.

    BARNSTORM_CONTEXT names another context than the current one; BARNSTORM_SERVER and BARNSTORM_TOKEN_FILE stand before
    both; BARNSTORM_CONFIG names another file for the contexts.
    """


def _view(contexts: Any, name: str) -> dict[str, Any]:
    one = contexts.known[name]
    return {"name": name, "server": one.server, "logged_in": bool(one.token), "current": name == contexts.current}


@command.command()
@options.form_option
def ls(form: str) -> None:
    """List contexts; the current one has a star.

    \b
    Example:
      jobctl context ls
    """
    from ..contexts import load

    contexts = load()
    print_list([_view(contexts, name) for name in sorted(contexts.known)], LISTING, form)


@command.command()
@click.argument("name")
def use(name: str) -> int:
    """Make a context the current one.

    \b
    Example:
      jobctl context use prod
    """
    from ..contexts import load

    contexts = load()
    contexts.put(contexts.named(name))
    contexts.save()
    click.echo(f"context {name}: {contexts.known[name].server}")
    return exits.OK


@command.command()
@click.argument("name", required=False)
@options.form_option
def show(name: Optional[str], form: str) -> None:
    """Show a context (the one in use when none is named), never its token.

    \b
    Example:
      jobctl context show
    """
    from ..contexts import load, resolve
    from .layout import labelled, say
    from .session import context_name

    contexts = load()
    one = contexts.named(name) if name else resolve(context_name())
    view = {
        "name": one.name,
        "server": one.server,
        "logged_in": bool(one.token),
        "current": one.name == contexts.current,
        "ca_file": one.ca_file,
        "file": str(contexts.path),
    }
    if form == "json":
        print_json(view)
    elif form == "ids":
        say([one.name])
    else:
        token = "kept" if one.token else "none: jobctl login"
        pairs = [("Context", one.name), ("Server", one.server), ("Token", token), ("CA file", one.ca_file)]
        say(labelled([*pairs, ("File", str(contexts.path))]))


@command.command()
@click.argument("name")
def rm(name: str) -> int:
    """Remove a context with its token.

    \b
    Example:
      jobctl context rm old
    """
    from ..contexts import load

    contexts = load()
    contexts.remove(name)
    contexts.save()
    click.echo(f"context {name} removed")
    return exits.OK
