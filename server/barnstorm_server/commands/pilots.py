"""Pilots coming: registration with a join token, and wishes of people and harvesters for them."""

from dataclasses import dataclass

from sqlalchemy import text

from barnstorm.model.base import to_wire
from barnstorm.model.pilots import PilotHello
from barnstorm_server.store.errors import Conflict, Forbidden, NotFound
from barnstorm_server.store.transaction import Transaction, dumps

from .tokens import NewToken, RecordTokens

_BY_KEY = text("SELECT id, queue, worker_id FROM pilots WHERE key = :key")
_USE = text(
    "UPDATE tokens SET uses_left = uses_left - 1 WHERE jti = :jti AND uses_left > 0 AND revoked_at"
    " IS NULL RETURNING uses_left"
)
_LISTED = text("SELECT 1 FROM tokens WHERE jti = :jti")
_INSERT = text(
    "INSERT INTO pilots (key, kind, queue, worker_id, node, version, state, shape, facts, checks, seen_at, created_at)"
    " VALUES (:key, :kind, :queue, :worker, :node, :version, 'idle', :shape, :facts, :checks, :now, :now) RETURNING id"
)
_WORKER = text("SELECT id, queue, state FROM workers WHERE id = :id")
_WORKER_RUNS = text(
    "UPDATE workers SET state = 'running', node = coalesce(node, :node), started_at = coalesce(started_at, :now)"
    " WHERE id = :id AND state IN ('planned', 'submitted')"
)
_WISH = text("UPDATE pilots SET wish = :wish, why = :why WHERE id = :id AND ended_at IS NULL")


@dataclass
class Hello:
    """Register a pilot; answers its id. A repeat with the same key gets the same one and uses nothing of the join
    token.
    """

    hello: PilotHello
    jti: str
    worker: int | None
    uses: int | None = None
    expires_at: float = 0.0
    rows: int = 3

    def apply(self, tx: Transaction) -> int:
        hello = self.hello
        known = tx.row(_BY_KEY, key=hello.key)
        if known is not None:
            if (known.queue, known.worker_id) != (hello.queue, self.worker):
                raise Conflict("this key is another pilot's; a pilot makes its own, at random", field="key")
            return int(known.id)
        if self.worker is not None:
            row = tx.row(_WORKER, id=self.worker)
            if row is None or row.queue != hello.queue:
                raise NotFound("worker", f"w{self.worker}")
        if not tx.write_returning(_USE, jti=self.jti) and not self._use_unlisted(tx):
            tx.wrote = False
            raise Forbidden("this join token has been used as often as it may be; ask for a new worker")
        found = tx.write_returning(
            _INSERT,
            key=hello.key,
            kind=hello.kind,
            queue=hello.queue,
            worker=self.worker,
            node=hello.node,
            version=hello.version,
            shape=dumps(to_wire(hello.shape)),
            facts=dumps(hello.facts),
            checks=dumps([to_wire(check) for check in hello.checks]),
            now=tx.now,
        )
        if self.worker is not None:
            tx.write(_WORKER_RUNS, id=self.worker, node=hello.node, now=tx.now)
        return int(found[0].id)

    def _use_unlisted(self, tx: Transaction) -> bool:
        if self.uses is None or tx.row(_LISTED, jti=self.jti) is not None:
            return False
        token = NewToken(self.jti, "join", "", self.expires_at, self.uses, self.hello.queue)
        RecordTokens("", [token]).apply(tx)
        return bool(tx.write_returning(_USE, jti=self.jti))


@dataclass
class Wish:
    """Ask a pilot to drain or to exit; it hears of it with its next call."""

    pilot: int
    wish: str
    why: str
    rows: int = 1

    def apply(self, tx: Transaction) -> bool:
        tx.committed.pilots.add(self.pilot)
        return tx.write(_WISH, id=self.pilot, wish=self.wish, why=self.why) > 0
