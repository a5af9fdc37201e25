"""Tokens and blobs as rows: issued, revoked; brought by whom."""

from dataclasses import dataclass

from sqlalchemy import text

from barnstorm_server.store.errors import NotFound
from barnstorm_server.store.transaction import Transaction

_ISSUED = text(
    "INSERT INTO tokens (jti, kind, subject, issued_by, issued_at, expires_at, uses_left, queue)"
    " VALUES (:jti, :kind, :subject, :issued_by, :now, :expires_at, :uses, :queue) ON CONFLICT (jti) DO NOTHING"
)
_REVOKE = text("UPDATE tokens SET revoked_at = :now WHERE jti = :jti AND revoked_at IS NULL")
_TOKEN = text("SELECT jti FROM tokens WHERE jti = :jti")
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
    """A revoked token is refused from the next use on."""

    jti: str
    rows: int = 1

    def apply(self, tx: Transaction) -> None:
        if tx.row(_TOKEN, jti=self.jti) is None:
            raise NotFound("token", self.jti)
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
