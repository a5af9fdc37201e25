"""Tokens: issuing, listing, revoking; and who asks."""

import time
from dataclasses import dataclass

from pydantic import TypeAdapter
from starlette.responses import Response

from barnstorm.model.base import Spec, field
from barnstorm_server.auth.grants import Grant, check_grant
from barnstorm_server.commands.tokens import NewToken, RecordTokens, RevokeToken
from barnstorm_server.store.errors import NotFound
from barnstorm_server.store.read_fleet import thing, things

from .http import Ask, answer, page


@dataclass
class Wanted(Spec):
    """POST /v1/tokens."""

    kind: str = field(doc="user, operator, site, harvester or join")
    subject: str = field("", doc="whose it is; empty: the caller's own")
    ttl_s: float | None = field(None, unit="s", doc="none: the server's default, or as long as the caller's own lasts")
    groups: list[str] = field(factory=list)
    queues: list[str] = field(factory=list)
    uses: int | None = field(None, doc="of a join token: how many pilots may register with it")


_WANTED = TypeAdapter(Wanted)


async def issue(ask: Ask) -> Response:
    """A new token. Nobody but operators gives what exceeds his own."""
    wanted, who, now = await ask.message(_WANTED), ask.who, time.time()
    ttl_s = wanted.ttl_s or ask.services.settings.default_token_ttl_s
    if wanted.ttl_s is None and who.kind != "operator":
        ttl_s = max(1.0, min(ttl_s, who.expires_at - now))
    uses = wanted.uses or (1 if wanted.kind == "join" else None)
    grant = Grant(wanted.kind, wanted.subject or who.subject, ttl_s, wanted.groups, wanted.queues, uses)  # type: ignore[arg-type]
    check_grant(who, grant, now)
    issued = ask.services.authority.issue(grant.kind, grant.subject, ttl_s, grant.groups, grant.queues, uses=uses)
    queue = wanted.queues[0] if wanted.kind == "join" else None
    record = NewToken(issued.jti, grant.kind, grant.subject, issued.expires_at, uses, queue)
    await ask.services.do(RecordTokens(f"{who.kind} {who.subject}", [record]))
    return answer({"jti": issued.jti, "token": issued.token, "expires_at": issued.expires_at}, 201)


async def ls(ask: Ask) -> Response:
    """Tokens that were issued by a request; the tokens themselves are stored nowhere."""
    wanted = {} if ask.scope == "any" else {"subject": ask.who.subject, "kind": ask.who.kind}
    return page(*await ask.services.read(things, "token", wanted, *ask.page()))


async def revoke(ask: Ask) -> Response:
    """From now on the token is refused."""
    jti = ask.path("jti")
    if ask.scope != "any" and jti != ask.who.jti:
        row = await ask.services.read(thing, "token", jti)
        if (row["subject"], row["kind"]) != (ask.who.subject, ask.who.kind) and row[
            "issued_by"
        ] != f"{ask.who.kind} {ask.who.subject}":
            raise NotFound("token", jti)
    await ask.services.do(RevokeToken(jti))
    return Response(status_code=204)


async def whoami(ask: Ask) -> Response:
    """What the token says of its holder."""
    who = ask.who
    return answer(
        {
            "subject": who.subject,
            "kind": who.kind,
            "groups": list(who.groups),
            "roles": [who.kind],
            "queues": list(who.queues),
            "expires_at": who.expires_at,
            "jti": who.jti,
        }
    )
