"""Who may give which token. The table of policies says who may ask for one at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BadGrant, Denied
from .principal import Kind, Principal

GRANTED: tuple[Kind, ...] = ("user", "operator", "site", "harvester", "join")
MAX_TTL_S = 2 * 365 * 86_400
MAX_USES = 100_000
_NEEDS_QUEUES = ("site", "join")


@dataclass(frozen=True)
class Grant:
    """A token that somebody asks for. `queues` empty: all queues (harvester), else none."""

    kind: Kind
    subject: str
    ttl_s: float
    groups: Sequence[str] = ()
    queues: Sequence[str] = ()
    uses: int | None = None


def check_grant(by: Principal, grant: Grant, now: float) -> None:
    """Operators give every token; users theirs to themselves; sites those of harvesters and workers of their queues.

    Nobody but an operator gives what outlives or exceeds the own token. Raises BadGrant for a token that makes no
    sense, Denied for one that is not the caller's to give.
    """
    check_sense(grant)
    if by.kind == "operator":
        return
    if by.kind == "user":
        _check_user(by, grant)
    elif by.kind == "site":
        _check_site(by, grant)
    else:
        raise Denied(f"a {by.kind} token gives no tokens", ["user", "operator", "site"])
    if now + grant.ttl_s > by.expires_at + 1:
        left = max(0, int(by.expires_at - now))
        raise Denied(f"it would outlive your own token, which ends in {left} s", {"ttl_s": left})


def check_sense(grant: Grant) -> None:
    """What must hold whoever asks. Raises BadGrant naming the field."""
    if grant.kind not in GRANTED:
        raise BadGrant("kind", grant.kind, "no such kind of token can be asked for", list(GRANTED))
    if not grant.subject or len(grant.subject) > 200 or not grant.subject.isprintable():
        raise BadGrant("subject", grant.subject, "names who or what the token is for, in 1 to 200 characters")
    if not 1 <= grant.ttl_s <= MAX_TTL_S:
        raise BadGrant("ttl_s", grant.ttl_s, "is not between 1 second and two years", {"min": 1, "max": MAX_TTL_S})
    if grant.kind in _NEEDS_QUEUES and not grant.queues:
        raise BadGrant("queues", [], f"a {grant.kind} token names its queues")
    if grant.kind == "join" and len(grant.queues) != 1:
        raise BadGrant("queues", list(grant.queues), "a join token is for one queue")
    if grant.kind in ("user", "operator") and grant.queues:
        raise BadGrant("queues", list(grant.queues), f"a {grant.kind} token is not bound to queues")
    if grant.groups and grant.kind not in ("user", "operator"):
        raise BadGrant("groups", list(grant.groups), f"a {grant.kind} token has no groups")
    if grant.uses is not None and grant.kind != "join":
        raise BadGrant("uses", grant.uses, "only a join token counts its uses")
    if grant.uses is not None and not 1 <= grant.uses <= MAX_USES:
        raise BadGrant("uses", grant.uses, "is out of range", {"min": 1, "max": MAX_USES})


def _check_user(by: Principal, grant: Grant) -> None:
    if grant.kind != "user":
        raise Denied(f"a user gives user tokens only; ask an operator for one of kind {grant.kind}", ["user"])
    if grant.subject != by.subject:
        raise Denied(f"a user gives tokens to nobody else: the subject is {by.subject}", [by.subject], (grant.subject,))
    more = sorted(set(grant.groups) - set(by.groups))
    if more:
        raise Denied(f"you are not in the groups {', '.join(more)}", list(by.groups), tuple(more))


def _check_site(by: Principal, grant: Grant) -> None:
    if grant.kind not in ("harvester", "join"):
        raise Denied(f"a site gives harvester and join tokens only, not {grant.kind}", ["harvester", "join"])
    if not grant.queues:
        raise Denied("a site's harvester token names its queues: without any it would be for all", list(by.queues))
    more = sorted(set(grant.queues) - set(by.queues))
    if more:
        raise Denied(f"not your queues: {', '.join(more)}", list(by.queues), tuple(more))
    if grant.kind == "harvester" and grant.subject != by.subject and not grant.subject.startswith(f"{by.subject}."):
        example = f"{by.subject}.edge"
        raise Denied(f"a site's harvesters carry its name, such as {example}", [by.subject, example], (grant.subject,))
