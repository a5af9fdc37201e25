"""Tokens and blobs as rows: issued, revoked; brought by whom."""

import re
from dataclasses import dataclass

from sqlalchemy import text

from barnstorm_server.auth.grants import MAX_TTL_S
from barnstorm_server.store.errors import NotFound
from barnstorm_server.store.transaction import Transaction

_ISSUED = text(
    "INSERT INTO tokens (jti, kind, subject, issued_by, issued_at, expires_at, uses_left, queue)"
    " VALUES (:jti, :kind, :subject, :issued_by, :now, :expires_at, :uses, :queue) ON CONFLICT (jti) DO NOTHING"
)
_REVOKE = text("UPDATE tokens SET revoked_at = :now WHERE jti = :jti AND revoked_at IS NULL")
_TOKEN = text("SELECT jti FROM tokens WHERE jti = :jti")
_JTI = re.compile(r"[0-9a-f]{24}\Z")
_BLOB = text(
    "INSERT INTO blobs (digest, owner, size, created_at) VALUES (:digest, :owner, :size, :now)"
    " ON CONFLICT (digest, owner) DO NOTHING"
)


@dataclass(frozen=True)
class NewToken:
    """What is remembered of a token: never the token itself."""

    jti: str
    kind: str
    subject: str
    expires_at: float
    uses: int | None = None
    queue: str | None = None


@dataclass
class RecordTokens:
    """Remember tokens that are about to be handed out."""

    issued_by: str
    tokens: list[NewToken]

    @property
    def rows(self) -> int:
        return len(self.tokens)

    def apply(self, tx: Transaction) -> None:
        values = [{**vars(one), "issued_by": self.issued_by, "now": tx.now} for one in self.tokens]
        tx.write_many(_ISSUED, values)


@dataclass
class RevokeToken:
    """A revoked token is refused from the next use on.

    One that is in no list (`barnstorm-server token` made it without the server, or a pilot has it) is noted as revoked.
    """

    jti: str
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        if tx.row(_TOKEN, jti=self.jti) is None:
            if not _JTI.match(self.jti):
                raise NotFound("token", self.jti)
            unlisted = NewToken(self.jti, "", "", tx.now + MAX_TTL_S)
            tx.write(_ISSUED, **vars(unlisted), issued_by="", now=tx.now)
        tx.write(_REVOKE, jti=self.jti, now=tx.now)
        tx.committed.tokens = True


@dataclass
class RecordBlob:
    """Remember that an owner brought these bytes, which lie in the blob store by now."""

    digest: str
    owner: str
    size: int
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        tx.write(_BLOB, digest=self.digest, owner=self.owner, size=self.size, now=tx.now)
