"""A PostgreSQL of the tests' own: made in a temporary directory, reached by a unix socket, gone with the tests.

It needs the server's programs (`initdb`, `postgres`) and nothing that runs. They refuse to run as root, so then they
run as an ordinary account of the system.
"""

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine
from tests.waiting import wait_for

from barnstorm_server.store import schema
from barnstorm_server.store.tables import metadata

USER = "barnstorm"
PORT = 5432  # only part of the socket's name: nothing listens on TCP
_ACCOUNTS = ("postgres", "nobody")
_PR_SET_PDEATHSIG = 1
# Nobody needs these databases after a power cut; `store/engine.py` accepts it when BARNSTORM_TEST_DURABILITY=off.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SMALL = ("shared_buffers=32MB", "max_connections=200", "autovacuum=off", "listen_addresses=")


def programs() -> Path | None:
    """The directory of PostgreSQL's server programs: the one in PATH, else Debian's newest, else None."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in versions), key=lambda path: float(path.parent.name), default=None)


class Cluster:
    """A running server. `empty` and `migrated` make a new database and give its URL; `emptied` lends the same again."""

    def __init__(self, bin_dir: Path, durable: bool = False) -> None:
        self.bin_dir = bin_dir
        # Not below pytest's own directory: a socket's path has at most 107 bytes, and the other account must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="bs-pg-", dir="/tmp"))
        self._account: dict[str, Any] = {}
        if os.getuid() == 0:
            account = _ordinary_account()
            self._account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._settings = [*_SMALL, *([] if durable else _FAST)]
        self._numbers = itertools.count(1)
        self._template = self._used = ""
        try:
            self._initdb()
            self.process = self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}&port={PORT}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[Any]":
        return psycopg.connect(host=str(self.folder), port=PORT, user=USER, dbname=database, autocommit=True)

    def empty(self) -> str:
        """A database without tables."""
        return self._create("template1")

    def migrated(self) -> str:
        """A database with the tables of today."""
        if not self._template:
            url = self.empty()
            engine = create_engine(url)
            schema.upgrade(engine)
            engine.dispose()
            self._template = url.partition("@/")[2].partition("?")[0]
        return self._create(self._template)

    def emptied(self) -> str:
        """A migrated database that is used again and again: quicker than a new one, and ids begin at 1 again."""
        if not self._used:
            self._used = self.migrated()
            return self._used
        tables = list(reversed(metadata.sorted_tables))
        statements = [f"DELETE FROM {table.name}" for table in tables]
        counted = [table.name for table in tables if table.autoincrement_column is not None]
        statements += [f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)" for name in counted]
        statements.append("INSERT INTO outbox_head (one, last_id) VALUES (1, 0)")
        with self.connect(self._used.partition("@/")[2].partition("?")[0]) as connection:
            connection.execute("; ".join(statements))
        return self._used

    def kill_connections(self, database: str) -> int:
        """End all other connections to a database, as a restart of the server would."""
        with self.connect(database) as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [database],
            )
            return len(found.fetchall())

    def stop(self) -> None:
        """Stop it and leave nothing behind."""
        self.process.send_signal(signal.SIGINT)  # PostgreSQL's "fast": whoever is connected is sent away
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _create(self, template: str) -> str:
        name = f"t{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _initdb(self) -> None:
        options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        command = [str(self.bin_dir / "initdb"), "-D", str(self.folder / "data"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self._account)
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stdout}{done.stderr}")

    def _start(self) -> "subprocess.Popen[bytes]":
        settings = [part for one in (*self._settings, f"port={PORT}") for part in ("-c", one)]
        command = [str(self.bin_dir / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *settings]
        with open(self.folder / "log", "wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/", preexec_fn=_end_with_parent, **self._account
            )
        wait_for(lambda: self._answers(process), "PostgreSQL to start")
        return process

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {(self.folder / 'log').read_text()}")
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def _ordinary_account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError(f"root needs one of the accounts {', '.join(_ACCOUNTS)} to run PostgreSQL as")


def _end_with_parent() -> None:
    """Should the tests be killed, the server ends as well."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
