"""`jobctl token`: for operators, and for everybody's own tokens."""

import json
import time
from pathlib import Path
from typing import Any, Optional

import click

from . import exits, options
from .quantities import TIME
from .tables import Column, Listing
from .words import clock

LISTING = Listing(
    columns=(
        Column("ID", lambda one: one["jti"]),
        Column("KIND", lambda one: one.get("kind")),
        Column("SUBJECT", lambda one: one.get("subject")),
        Column("GROUPS", lambda one: ", ".join(one.get("groups") or [])),
        Column("QUEUES", lambda one: ", ".join(one.get("queues") or [])),
        Column("ISSUED", lambda one: clock(one.get("issued_at") or one.get("created_at"))),
        Column("UNTIL", lambda one: clock(one.get("expires_at"))),
        Column("REVOKED", lambda one: clock(one.get("revoked_at"))),
    ),
    id_of=lambda one: one["jti"],
    none="no tokens",
)
KINDS = ("user", "operator", "site", "harvester", "join")


@click.group()
def command() -> None:
    """Tokens: who may do what, and for how long."""


@command.command()
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Of this kind; left out: all but join.")
@click.option("--all", "every", is_flag=True, help="Those too that have ended or were revoked.")
@options.list_options("user")
def ls(kinds: tuple[str, ...], every: bool, user: Optional[str], limit: Optional[int], form: str, watch: bool) -> None:
    """List tokens, newest first; their text is shown only once, when they are issued.

    \b
    Examples:
      jobctl token ls
      jobctl token ls --kind join --all
    """
    from .filters import user_of
    from .session import people
    from .task import show_or_watch

    api = people()
    wanted, subject = kinds or tuple(kind for kind in KINDS if kind != "join"), user_of(api, user)

    def fetch() -> list[dict[str, Any]]:
        found = [one for one in api.things("tokens") if one.get("kind") in wanted and (every or _good(one))]
        found = [one for one in found if subject in (None, one.get("subject"))]
        found.sort(key=lambda one: float(one.get("issued_at") or 0), reverse=True)
        return found[: options.limit_of(limit, form)]

    show_or_watch(fetch, LISTING, form, watch)


def _good(one: dict[str, Any]) -> bool:
    return one.get("revoked_at") is None and float(one.get("expires_at") or 0) > time.time()


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.form_option
def show(ids: tuple[str, ...], form: str) -> int:
    """Show tokens by their ids, or by the beginning of an id.

    \b
    Example:
      jobctl token show 4f2a
    """
    from .screens import print_views
    from .session import people

    api = people()
    known = list(api.things("tokens"))
    print_views([("token", one, _find(known, one)) for one in ids], form)
    return exits.OK


@command.command()
@click.option("--kind", type=click.Choice(KINDS), default="user", show_default=True, help="Whom it is for.")
@click.option("--subject", required=True, metavar="NAME", help="The user's, operator's, site's or harvester's name.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="A group of the user.")
@click.option("--queue", "queues", multiple=True, metavar="QUEUE", help="A queue it is for (site, join).")
@click.option("--ttl", type=TIME, metavar="TIME", help="How long it is good: 12h, 30d.")
@click.option("--uses", type=click.IntRange(min=1), metavar="N", help="How many pilots may join with it (join).")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here, readable by you only.")
@click.option("-o", "--format", "--output", "form", type=click.Choice(["table", "json", "ids"]), default="table")
def issue(
    kind: str,
    subject: str,
    groups: tuple[str, ...],
    queues: tuple[str, ...],
    ttl: Optional[int],
    uses: Optional[int],
    out: Optional[Path],
    form: str,
) -> int:
    """Issue a token; its text is printed once, alone, on standard output.

    \b
    Examples:
      jobctl token issue --subject anna --group rubin --ttl 30d > anna.token
      jobctl token issue --kind harvester --subject usdf-edge --out harvester.token
      jobctl token issue --kind site --subject slac --queue SLAC_Rubin
    """
    from .session import people

    wanted = options.given(kind=kind, subject=subject, groups=list(groups), queues=list(queues), ttl_s=ttl, uses=uses)
    made = people().issue_token(**wanted)
    if out is not None:
        from ..contexts import write_private

        write_private(out, made["token"] + "\n")
    if form == "json":
        click.echo(json.dumps({key: value for key, value in made.items() if key != "token" or out is None}, indent=2))
    elif form == "ids":
        click.echo(made["jti"])
    else:
        if out is None:
            click.echo(made["token"])
        where = f", in {out}" if out is not None else ""
        click.echo(
            f"{kind} token {made['jti']} for {subject}, good until {clock(made.get('expires_at'))}{where}", err=True
        )
    return exits.OK


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def revoke(ids: tuple[str, ...]) -> int:
    """End tokens at once, by their ids.

    \b
    Example:
      jobctl token revoke 4f2a9c0e
    """
    from .session import people

    api = people()
    for one in ids:
        api.revoke_token(one)
        click.echo(f"token {one} revoked")
    return exits.OK


def _find(known: list[dict[str, Any]], start: str) -> dict[str, Any]:
    found = [one for one in known if str(one["jti"]).startswith(start)]
    if len(found) != 1:
        many = f"{len(found)} tokens begin with {start!r}" if found else f"there is no token {start!r}"
        raise exits.Stop(many, exits.USAGE if found else exits.NOT_FOUND)
    return found[0]
