"""Buckets in the store: found or made by their digest, parsed once (a bucket never changes but in its count)."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Row, text

from .transaction import Transaction

_FIND = text("SELECT id FROM buckets WHERE digest = :digest")
_MAKE = text(
    "INSERT INTO buckets (digest, spec, priority) VALUES (:digest, :spec, :priority)"
    " ON CONFLICT (digest) DO UPDATE SET priority = excluded.priority RETURNING id"
)
_WAITING = text("SELECT id, spec, waiting FROM buckets WHERE waiting > 0 ORDER BY id")
_HEAD = text("SELECT task_id, idx FROM jobs WHERE bucket_id = :bucket ORDER BY bucket_id, task_id, idx LIMIT 1")


class BucketSpec(Protocol):
    """What the store needs of a bucket."""

    @property
    def priority(self) -> int: ...

    def document(self) -> str: ...

    def digest(self) -> str: ...


def get(tx: Transaction, bucket: BucketSpec) -> int:
    """The id of a bucket, made if it is new."""
    digest = bucket.digest()
    row = tx.row(_FIND, digest=digest)
    if row is None:
        row = tx.write_returning(_MAKE, digest=digest, spec=bucket.document(), priority=bucket.priority)[0]
    return int(row.id)


def waiting(tx: Transaction) -> Sequence[Row[Any]]:
    """The buckets in which jobs wait: (id, spec, waiting)."""
    return tx.rows(_WAITING)


def head(tx: Transaction, bucket: int) -> tuple[int, int] | None:
    """The oldest waiting job of a bucket."""
    row = tx.row(_HEAD, bucket=bucket)
    return (row.task_id, row.idx) if row else None
