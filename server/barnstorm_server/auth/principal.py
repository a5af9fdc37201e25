"""Who asks, as a verified token says; and the same as a token's claims."""

from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, get_args

Kind = Literal["user", "operator", "site", "harvester", "join", "pilot"]
_LAST_SECOND = 2**40  # of what a token may call its end

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as a verified token says. `queues`: the only ones it is for; empty: all that its kind may touch."""

    kind: Kind
    subject: str
    groups: tuple[str, ...]
    queues: tuple[str, ...]
    jti: str
    expires_at: float
    pilot: int | None = None
    worker: int | None = None
    uses: int | None = None


def to_claims(principal: Principal) -> dict[str, Any]:
    """What a token says of a principal; what is empty is left out."""
    claims = {
        "sub": principal.subject,
        "kind": principal.kind,
        "jti": principal.jti,
        "exp": int(principal.expires_at),
        "groups": list(principal.groups),
        "queues": list(principal.queues),
        "pilot": principal.pilot,
        "worker": principal.worker,
        "uses": principal.uses,
    }
    return {name: value for name, value in claims.items() if value not in (None, [])}


def from_claims(claims: dict[str, Any]) -> Principal:
    """The principal of verified claims. Raises ValueError for what `to_claims` would not have written."""
    kind, subject, end, jti = (claims.get(name) for name in ("kind", "sub", "exp", "jti"))
    groups, queues = claims.get("groups", []), claims.get("queues", [])
    numbers = [claims.get(name) for name in ("pilot", "worker", "uses")]
    if kind not in KINDS or not isinstance(subject, str) or not isinstance(jti, str):
        raise ValueError("no such kind, subject or id")
    if not _is_int(end) or not 0 <= end <= _LAST_SECOND:
        raise ValueError("no such end")
    if not _are_names(groups) or not _are_names(queues):
        raise ValueError("groups and queues are lists of names")
    if not all(number is None or _is_int(number) for number in numbers) or (kind == "pilot" and numbers[0] is None):
        raise ValueError("pilot, worker and uses are numbers, and a pilot's token names it")
    return Principal(kind, subject, tuple(groups), tuple(queues), jti, float(end), *numbers)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
