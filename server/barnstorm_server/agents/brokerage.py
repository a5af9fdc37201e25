"""Brokerage: divides each bucket's waiting jobs over the queues they fit and writes each queue's demand."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from barnstorm_server.commands.queues import PutDemand
from barnstorm_server.rules.buckets import Bucket, from_document
from barnstorm_server.rules.demand import divide, parts_of, weight
from barnstorm_server.rules.matching import match
from barnstorm_server.store.catalog import CatalogQueue
from barnstorm_server.store.tables import LIVE_ATTEMPTS

_WAITING = text("SELECT id, spec, waiting FROM buckets WHERE waiting > 0 ORDER BY priority DESC, id")
_RUNNING = text(f"SELECT queue, count(*) AS n FROM attempts WHERE {LIVE_ATTEMPTS} GROUP BY queue")


def demand_now(connection: Connection, queues: Mapping[str, CatalogQueue], now: float) -> PutDemand:
    """Match what waits with what there is; each bucket's parts add up to the whole bucket."""
    running = {row.queue: int(row.n) for row in connection.execute(_RUNNING)}
    given: dict[str, int] = dict.fromkeys(queues, 0)
    shares: dict[str, list[tuple[Bucket, str, int]]] = {name: [] for name in queues}
    for row in connection.execute(_WAITING).all():
        bucket = from_document(row.spec)
        found = {name: match(bucket, queue.config, queue.mark(now)) for name, queue in queues.items()}
        lanes = {name: result.lane for name, result in found.items() if result.fits}
        weights = {name: weight(running.get(name, 0), given[name]) for name in lanes}
        for name, jobs in divide(row.waiting, weights).items():
            given[name] += jobs
            shares[name].append((bucket, lanes[name], jobs))
    return PutDemand(parts_of(shares))
