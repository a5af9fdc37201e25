"""Tokens: JWT, signed with ES256 and nothing else. What a good one says is a `Principal`."""

import hashlib
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from .errors import BadToken, UnknownKey
from .keys import KeyRing
from .principal import KINDS, Kind, Principal, from_claims, to_claims

__all__ = ["KINDS", "Issued", "Kind", "Principal", "TokenAuthority"]

ISSUER = "barnstorm"
AUDIENCE = "barnstorm-server"
ALGORITHM = "ES256"
LEEWAY_S = 5.0  # several servers' clocks may differ by so much
MAX_TOKEN_BYTES = 16_384

_ASK = "ask for a new one where you got it (jobctl token issue), then: jobctl login"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token. `jti` names it, for the list of tokens and for revoking; the token itself is stored nowhere."""

    jti: str
    token: str
    expires_at: float

    def __repr__(self) -> str:
        return f"Issued(jti={self.jti!r}, expires_at={self.expires_at!r})"


class TokenAuthority:
    """Issues tokens and verifies them. Thread-safe.

    A verified token is remembered (under a hash, at most `remembered` of them); its end and, by `is_revoked(jti)`, its
    revocation are looked at on each use. `clock` gives epoch seconds.
    """

    def __init__(
        self,
        keys: KeyRing,
        is_revoked: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
        remembered: int = 20_000,
    ) -> None:
        self.keys = keys
        self._is_revoked = is_revoked
        self._clock = clock
        self._remembered = remembered
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()
        self._mutex = threading.Lock()

    def now(self) -> float:
        """The time that tokens are held against, epoch seconds."""
        return self._clock()

    def issue(
        self,
        kind: Kind,
        subject: str,
        ttl_s: float,
        groups: Sequence[str] = (),
        queues: Sequence[str] = (),
        pilot: int | None = None,
        worker: int | None = None,
        uses: int | None = None,
    ) -> Issued:
        """A token that is good for `ttl_s` from now. Whether it may be given is the caller's to know (`grants.py`)."""
        now = self._clock()
        expires_at = float(math.ceil(now + ttl_s))
        jti = secrets.token_hex(12)
        whose = Principal(kind, subject, tuple(groups), tuple(queues), jti, expires_at, pilot, worker, uses)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": int(now), **to_claims(whose)}
        key = self.keys.signing(expires_at + LEEWAY_S)
        token = jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})
        return Issued(jti, token, expires_at)

    def verify(self, token: str) -> Principal:
        """Who a token speaks for. Raises BadToken, whose message says what to do and never holds the token."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        with self._mutex:
            principal = self._verified.get(digest)
            if principal is not None:
                self._verified.move_to_end(digest)
        if principal is None:
            principal = self._read(token)
            with self._mutex:
                self._verified[digest] = principal
                while len(self._verified) > self._remembered:
                    self._verified.popitem(last=False)
        late = self._clock() - principal.expires_at
        if late > LEEWAY_S:
            raise BadToken(f"this token ended {_span(late)} ago: {_ASK}")
        if self._is_revoked(principal.jti):
            raise BadToken(f"this token ({principal.jti}) was revoked: {_ASK}")
        return principal

    def _read(self, token: str) -> Principal:
        if len(token) > MAX_TOKEN_BYTES:
            raise BadToken("this is no token of this server (too long): check what was copied")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, UnicodeError) as error:
            raise BadToken("this is no token: check that all of it was copied, and nothing else") from error
        kid = header.get("kid")
        if header.get("alg") != ALGORITHM or not isinstance(kid, str):
            raise BadToken(f"this is no token of this server: {_ASK}")
        try:
            public = self.keys.verifying(kid)
            claims = jwt.decode(token, public, [ALGORITHM], options=_OPTIONS, audience=AUDIENCE, issuer=ISSUER)
        except UnknownKey as error:
            raise BadToken(f"this token is of another server, or its key has ended: {_ASK}") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise BadToken(f"this token's signature or content is not good: {_ASK}") from error
        try:
            return from_claims(claims)
        except ValueError as error:
            raise BadToken(f"this token was made by another version of the server: {_ASK}") from error


# Its end is looked at on each use, by our own clock; when it was issued says nothing that could be relied upon.
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "jti", "iat", "exp", "kind"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
