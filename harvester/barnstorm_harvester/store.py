"""The harvester's own memory: a small SQLite database of its workers, so that a restart neither loses nor doubles one.

A worker is written down before anything is done about it, in this order:

    intended    the key exists here; the server may or may not know it (asking again with the key gives the same worker)
    planned     the server knows it; the batch system certainly does not
    submitting  it may be in the batch system: before it is submitted again the submitter is asked to `find` it
    submitted → running → finished | failed | cancelled | lost

`dirty` marks what the server has not yet been told. Join tokens are not kept here: planning again gives a new one.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from barnstorm.model.base import from_wire, to_wire
from barnstorm.model.shape import Shape
from barnstorm.model.states import WORKER

VERSION = 1
UNSUBMITTED = ("intended", "planned")
_STATES = ("intended", "submitting", *WORKER.states)

_TABLES = """
CREATE TABLE worker (
    key TEXT PRIMARY KEY, worker TEXT NOT NULL, queue TEXT NOT NULL, lane TEXT NOT NULL, shape TEXT NOT NULL,
    state TEXT NOT NULL, batch_id TEXT NOT NULL, why TEXT NOT NULL, node TEXT NOT NULL, message TEXT NOT NULL,
    exit_code INTEGER, log_tail TEXT NOT NULL,
    planned_at REAL NOT NULL, submitted_at REAL, started_at REAL, ended_at REAL,
    missing INTEGER NOT NULL, missing_since REAL, unknown_since REAL, kill_at REAL, dirty INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX worker_queue ON worker (queue, state);
CREATE TABLE queue (name TEXT PRIMARY KEY, config TEXT NOT NULL) WITHOUT ROWID;
"""


class StoreError(Exception):
    """The database cannot be used; the text says what to do."""


@dataclass
class Worker:
    """One worker. Times are epoch seconds by this machine's clock."""

    key: str
    queue: str
    lane: str
    shape: Shape
    worker: str = ""
    state: str = "intended"
    batch_id: str = ""
    why: str = ""
    node: str = ""
    message: str = ""
    exit_code: int | None = None
    log_tail: str = ""
    planned_at: float = 0.0
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    missing: int = 0
    missing_since: float | None = None
    unknown_since: float | None = None
    kill_at: float | None = None
    dirty: bool = False
    pilot: str = field(default="", metadata={"kept": False})

    @property
    def ended(self) -> bool:
        return self.state in WORKER.terminal

    @property
    def in_batch(self) -> bool:
        """Whether the batch system has it, or may have."""
        return self.state in ("submitting", "submitted", "running")


_COLUMNS = tuple(one.name for one in fields(Worker) if one.metadata.get("kept", True))
_PUT = f"INSERT OR REPLACE INTO worker ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_GET = f"SELECT {', '.join(_COLUMNS)} FROM worker"


class Store:
    """Thread-safe. What `put` was given is on disk when it returns, all of it or nothing."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._open(path)
        except sqlite3.Error as error:
            raise StoreError(
                f"{path}: {error}. It holds this harvester's workers: mend it, or put back a copy"
            ) from error

    def _open(self, path: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StoreError(f"{path} was written by a newer version of the harvester ({version} > {VERSION})")
        if version == 0:
            self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")

    def put(self, workers: Iterable[Worker]) -> None:
        """Write workers down as they are now."""
        rows = [_row(worker) for worker in workers]
        if not rows:
            return
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_PUT, rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def of_queue(self, queue: str) -> list[Worker]:
        """All workers of a queue, ended ones that are still kept included."""
        with self._lock:
            return [
                _worker(row) for row in self._db.execute(f"{_GET} WHERE queue = ? ORDER BY planned_at, key", (queue,))
            ]

    def queues_with_workers(self) -> list[str]:
        """Queues of which workers are kept here."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT DISTINCT queue FROM worker ORDER BY queue")]

    def drop(self, keys: Iterable[str]) -> None:
        """Forget workers."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM worker WHERE key = ?", [(key,) for key in keys])
            self._db.execute("COMMIT")

    def remember_queue(self, name: str, config: dict[str, Any]) -> None:
        """Keep a queue's description: after a restart its workers are followed even while the server is away."""
        text = json.dumps(config, sort_keys=True)
        with self._lock:
            known = self._db.execute("SELECT config FROM queue WHERE name = ?", (name,)).fetchone()
            if known is None or known[0] != text:
                self._db.execute("INSERT OR REPLACE INTO queue (name, config) VALUES (?, ?)", (name, text))

    def queue(self, name: str) -> dict[str, Any] | None:
        """A queue's description as last remembered."""
        with self._lock:
            row = self._db.execute("SELECT config FROM queue WHERE name = ?", (name,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _row(worker: Worker) -> tuple[Any, ...]:
    assert worker.state in _STATES, worker.state
    values = {name: getattr(worker, name) for name in _COLUMNS}
    return tuple({**values, "shape": json.dumps(to_wire(worker.shape)), "dirty": int(worker.dirty)}.values())


def _worker(row: tuple[Any, ...]) -> Worker:
    values = dict(zip(_COLUMNS, row, strict=True))
    shape = from_wire(Shape, json.loads(values.pop("shape")))
    return Worker(**{**values, "dirty": bool(values.pop("dirty"))}, shape=shape)
