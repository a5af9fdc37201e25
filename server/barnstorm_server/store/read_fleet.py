"""Reading queues, workers, pilots, harvesters and tokens."""

import json
from typing import Any

from sqlalchemy import Connection, Row, text

from barnstorm.model.base import to_wire
from barnstorm.model.queue import lanes_of
from barnstorm.model.shape import Shape

from .catalog import CatalogQueue
from .errors import NotFound
from .read_tasks import position
from .tables import LIVE_ATTEMPTS

View = dict[str, Any]

_SERVED = text(
    "SELECT q.harvester, q.harvester_until, h.seen_at FROM queues q LEFT JOIN harvesters h ON h.name"
    " = q.harvester WHERE q.name = :queue"
)
_DEMAND = text("SELECT version, parts FROM demand WHERE queue = :queue")
_JOBS = text(f"SELECT state, count(*) AS n FROM attempts WHERE queue = :queue AND {LIVE_ATTEMPTS} GROUP BY state")
_WORKERS = text(
    "SELECT lane, state, count(*) AS n FROM workers WHERE queue = :queue AND ended_at IS NULL GROUP BY lane, state"
)
_DECISIONS = text(
    'SELECT lane, at, "change", why, counts FROM decisions WHERE queue = :queue ORDER BY id DESC LIMIT :limit'
)
_LAST = text(
    'SELECT d.lane, d.at, d."change", d.why, d.counts FROM decisions d'
    " WHERE d.id IN (SELECT max(id) FROM decisions WHERE queue = :queue GROUP BY lane)"
)


def queue_view(connection: Connection, queue: CatalogQueue, now: float) -> View:
    """A queue with its status, lanes, workers and last decisions."""
    name = queue.config.name
    served = connection.execute(_SERVED, {"queue": name}).one()
    workers: dict[str, dict[str, int]] = {}
    for row in connection.execute(_WORKERS, {"queue": name}):
        workers.setdefault(row.lane, {})[row.state] = row.n
    last = {row.lane: _decision(row) for row in connection.execute(_LAST, {"queue": name})}
    waiting: dict[str, int] = {}
    for part in demand_of(connection, name)[1]:
        waiting[part["lane"]] = waiting.get(part["lane"], 0) + part["jobs"]
    mark = queue.mark(now)
    totals: dict[str, int] = {}
    for lane_workers in workers.values():
        for state, n in lane_workers.items():
            totals[state] = totals.get(state, 0) + n
    return {
        "name": name,
        "site": queue.config.site,
        "status": mark.status,
        "marks": [to_wire(one) for one in queue.marks if one.until is None or one.until > now],
        "config": to_wire(queue.config),
        "version": queue.version,
        "updated_at": queue.updated_at,
        "updated_by": queue.updated_by,
        "harvester": served.harvester if (served.harvester_until or 0) > now else None,
        "harvester_seen_at": served.seen_at,
        "jobs": {
            "waiting": sum(waiting.values()),
            **{row.state: row.n for row in connection.execute(_JOBS, {"queue": name})},
        },
        "workers": totals,
        "lanes": [
            {
                "lane": lane.name,
                "waiting": waiting.get(lane.name, 0),
                "workers": workers.get(lane.name, {}),
                "decision": last.get(lane.name),
            }
            for lane in lanes_of(queue.config)
        ],
    }


def demand_of(connection: Connection, queue: str) -> tuple[int, list[dict[str, Any]]]:
    """A queue's demand: its version and its parts as stored. Version 0 before brokerage has seen it."""
    row = connection.execute(_DEMAND, {"queue": queue}).first()
    return (int(row.version), json.loads(row.parts)) if row else (0, [])


def decisions(connection: Connection, queue: str, limit: int) -> list[View]:
    """Harvesters' decisions for a queue, newest first."""
    return [_decision(row) for row in connection.execute(_DECISIONS, {"queue": queue, "limit": limit})]


def _decision(row: Row[Any]) -> View:
    return {"lane": row.lane, "at": row.at, "change": row.change, "why": row.why, "counts": json.loads(row.counts)}


def things(
    connection: Connection, noun: str, wanted: dict[str, str], cursor: str | None, limit: int
) -> tuple[list[View], str | None]:
    """A page of workers, pilots, harvesters or tokens, newest first; `wanted` maps columns to values."""
    table, key, view = _NOUNS[noun]
    where = ["1 = 1"]
    values: dict[str, Any] = {"limit": limit + 1}
    for column, value in wanted.items():
        if column == "state" and value == "live":
            where.append("ended_at IS NULL")
        else:
            where.append(f"{column} = :{column}")
            values[column] = value
    if cursor is not None:
        where.append(f"{key} < :cursor")
        values["cursor"] = position(cursor) if key == "id" else cursor
    rows = connection.execute(
        text(f"SELECT * FROM {table} WHERE {' AND '.join(where)} ORDER BY {key} DESC LIMIT :limit"), values
    ).all()
    return [view(row) for row in rows[:limit]], str(getattr(rows[limit - 1], key)) if len(rows) > limit else None


def thing(connection: Connection, noun: str, ident: int | str) -> View:
    """One worker, pilot, harvester or token. Raises NotFound."""
    table, key, view = _NOUNS[noun]
    row = connection.execute(text(f"SELECT * FROM {table} WHERE {key} = :ident"), {"ident": ident}).first()
    if row is None:
        raise NotFound(noun, f"{_PREFIX.get(noun, '')}{ident}")
    return view(row)


def _worker(row: Row[Any]) -> View:
    return {
        "id": f"w{row.id}",
        "queue": row.queue,
        "harvester": row.harvester,
        "lane": row.lane,
        "state": row.state,
        "unknown": bool(row.unknown),
        "shape": json.loads(row.shape),
        "batch_id": row.batch_id,
        "node": row.node,
        "exit_code": row.exit_code,
        "why": row.why,
        "message": row.message,
        "log_tail": row.log_tail,
        "kill": row.kill,
        "key": row.key.partition("/")[2],
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }


def _pilot(row: Row[Any]) -> View:
    return {
        "id": f"p{row.id}",
        "queue": row.queue,
        "worker": f"w{row.worker_id}" if row.worker_id else None,
        "kind": row.kind,
        "node": row.node,
        "version": row.version,
        "state": row.state,
        "shape": json.loads(row.shape),
        "facts": json.loads(row.facts),
        "checks": json.loads(row.checks),
        "owner": row.owner,
        "seen_at": row.seen_at,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "wish": row.wish,
        "why": row.why,
    }


def _harvester(row: Row[Any]) -> View:
    view = {name: getattr(row, name) for name in ("name", "version", "host", "seen_at", "created_at", "stopped_at")}
    return {"id": row.name, **view, **json.loads(row.info)}


def _token(row: Row[Any]) -> View:
    names = ("jti", "kind", "subject", "issued_by", "issued_at", "expires_at", "revoked_at", "uses_left", "queue")
    return {"id": row.jti, **{name: getattr(row, name) for name in names}}


_NOUNS = {
    "worker": ("workers", "id", _worker),
    "pilot": ("pilots", "id", _pilot),
    "harvester": ("harvesters", "name", _harvester),
    "token": ("tokens", "jti", _token),
}
_PREFIX = {"worker": "w", "pilot": "p"}


def harvester_workers(
    connection: Connection, harvester: str, live: bool, cursor: str | None, limit: int
) -> tuple[list[View], str | None]:
    """A page of a harvester's workers, newest first, each with its last pilot's id and state."""
    wanted = {"harvester": harvester, **({"state": "live"} if live else {})}
    items, following = things(connection, "worker", wanted, cursor, limit)
    for item in items:
        row = connection.execute(_WORKERS_PILOT, {"worker": int(item["id"][1:])}).first()
        item["pilot"] = {"id": f"p{row.id}", "state": row.state} if row else None
    return items, following


_WORKERS_PILOT = text("SELECT id, state FROM pilots WHERE worker_id = :worker ORDER BY id DESC LIMIT 1")


_LANE = text("SELECT w.lane FROM pilots p JOIN workers w ON w.id = p.worker_id WHERE p.id = :pilot")


def room_of(connection: Connection, asking: dict[int, Shape]) -> list[View]:
    """What pilots that ask for work have free, by lane: `{"lane", "free", "pilots"}`."""
    rooms: dict[tuple[str, str], View] = {}
    for pilot, free in asking.items():
        lane = connection.execute(_LANE, {"pilot": pilot}).scalar() or ""
        shape = vars(free)
        room = rooms.setdefault((lane, json.dumps(shape)), {"lane": lane, "free": shape, "pilots": 0})
        room["pilots"] += 1
    return list(rooms.values())
