"""`jobctl login`: a server and a token, checked, kept as a context."""

import sys
from typing import Optional
from urllib.parse import urlsplit

import click

from . import exits


@click.command()
@click.option("--server", metavar="URL", help="The server; the current context's when left out.")
@click.option(
    "--token-file", metavar="FILE", help="Where the token is; -: standard input. It is asked for when left out."
)
@click.option("--name", metavar="NAME", help="The context's name; the server's host name when left out.")
@click.option("--ca-file", metavar="FILE", help="Certificates that the server's own is checked against.")
def command(server: Optional[str], token_file: Optional[str], name: Optional[str], ca_file: Optional[str]) -> int:
    """Log in: check a token with the server and keep both as a context, readable by you only.

    \b
    Examples:
      jobctl login --server https://barnstorm.example.org
      jobctl login --server https://barnstorm.example.org --token-file token.txt --name prod
      get-token | jobctl login --token-file -
    """
    from ..api.people import PeopleApi
    from ..contexts import Context, load
    from .session import CommandConnection, context_name

    contexts = load()
    name = name or context_name() or None
    known = contexts.known.get(name or "") or contexts.known.get(contexts.current)
    if server is None and known is None:
        raise click.UsageError("which server? --server URL")
    url = (server or (known.server if known else "")).rstrip("/")
    _check_url(url)
    if name is None:
        same = [one.name for one in contexts.known.values() if one.server == url]
        name = same[0] if same else str(urlsplit(url).hostname)
    context = Context(
        name, url, _token(token_file), ca_file or (known.ca_file if known and known.server == url else "")
    )
    who = PeopleApi(CommandConnection(context)).whoami()
    contexts.put(context)
    contexts.save()
    click.echo(f"logged in to {url} as {who['subject']}; context {name}")
    return exits.OK


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"--server {url!r} is not https://HOST or http://HOST:PORT")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        click.echo(f"warning: {url} is not encrypted: anybody on the way can read your token", err=True)


def _token(file: Optional[str]) -> str:
    from ..contexts import checked_token, read_token

    if file == "-":
        return checked_token(sys.stdin.read(), "standard input")
    if file is not None:
        return read_token(file)
    if not sys.stdin.isatty():
        raise click.UsageError("no token: --token-file FILE, or --token-file - for standard input")
    return checked_token(click.prompt("Token", hide_input=True, err=True), "what was typed")
