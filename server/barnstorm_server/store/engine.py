"""Opening the store: SQLite (one server process, made sure by a file lock) or PostgreSQL, with their settings read
back.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text

from .errors import StoreError

# SQLite's numbers for `PRAGMA synchronous`: each commit is on disk before it is acknowledged.
FULL = 2


class Store:
    """An open store: `engine` for reading (a pool), `writer_connection()` for the one writer.

    Raises StoreError when the database cannot be opened, is held by another server, or refuses the settings
    that the promises rest on.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._lock_file: Any = None
        if self.is_sqlite:
            path = Path(url.removeprefix("sqlite:///"))
            self._lock_file = _lock(path)
            self.engine = _sqlite_engine(url)
        else:
            self.engine = _postgres_engine(url)

    def writer_connection(self) -> Connection:
        """The writer's own connection, outside the readers' pool, its durable settings checked."""
        engine = _sqlite_engine(self.url, pool_size=1) if self.is_sqlite else _postgres_engine(self.url, writer=True)
        connection = engine.connect()
        try:
            self._check_durable(connection)
        except StoreError:
            release(connection)
            raise
        connection.rollback()
        return connection

    def _check_durable(self, connection: Connection) -> None:
        if self.is_sqlite:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            sync = connection.exec_driver_sql("PRAGMA synchronous").scalar()
            if (mode, sync) != ("wal", FULL):
                raise StoreError(f"SQLite runs with journal_mode={mode}, synchronous={sync}; wal and {FULL} are needed")
        else:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                value = connection.exec_driver_sql(f"SHOW {name}").scalar()
                if value == "off" and os.environ.get("BARNSTORM_TEST_DURABILITY") != "off":
                    raise StoreError(f"PostgreSQL runs with {name}=off: accepted work could be lost; switch it on")

    def now(self, connection: Connection) -> float:
        """The time all leases are counted by: the database's on PostgreSQL, this server's on SQLite. Epoch seconds."""
        if self.is_sqlite:
            return time.time()
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def close(self) -> None:
        self.engine.dispose()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def release(connection: Connection) -> None:
    """Close the writer's connection for good, with the engine that was made for it."""
    connection.close()
    connection.engine.dispose()


def _lock(path: Path) -> Any:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.with_suffix(path.suffix + ".lock"), "a+")  # noqa: SIM115 - held as long as the store is open
    except OSError as error:
        raise StoreError(f"cannot open the database at {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StoreError(
            f"another server uses {path}: a SQLite store serves one server process; for several use PostgreSQL"
        ) from error
    return file


def _sqlite_engine(url: str, pool_size: int = 16) -> Engine:
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=0, connect_args={"check_same_thread": False, "timeout": 30}
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
            "cache_size=-65536",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if pool_size == 1 else "BEGIN")

    return engine


def _postgres_engine(url: str, writer: bool = False) -> Engine:
    # Tables that began empty would otherwise keep sequential scans; jit costs more than any of our statements.
    settings = "-c jit=off" + (" -c enable_seqscan=off -c plan_cache_mode=force_generic_plan" if writer else "")
    engine = create_engine(url, pool_size=1 if writer else 16, max_overflow=0, connect_args={"options": settings})
    return engine
