"""Opening the store: its promises rest on settings that are read back, and on nobody else writing to a SQLite file."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from tests.services.postgres import Cluster

from barnstorm_server.store import engine
from barnstorm_server.store.engine import Store
from barnstorm_server.store.errors import StoreError

from .conftest import sqlite


def test_sqlite_commits_are_on_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    store = Store(sqlite(tmp_path))
    connection = store.writer_connection()
    settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
    foreign_keys = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()
    engine.release(connection)
    store.close()
    assert settings == {"journal_mode": "wal", "synchronous": engine.FULL}
    assert foreign_keys == 1


def test_a_sqlite_that_does_not_sync_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqlite(tmp_path)

    def hasty(url: str, pool_size: int = 16) -> object:
        made = create_engine(url)
        event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        return made

    monkeypatch.setattr(engine, "_sqlite_engine", hasty)
    store = Store(url)
    with pytest.raises(StoreError, match="synchronous=0"):
        store.writer_connection()
    store.close()


@pytest.mark.postgres
def test_a_postgresql_that_does_not_sync_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own cluster is such a one; only they may use it."""
    monkeypatch.delenv("BARNSTORM_TEST_DURABILITY")
    store = Store(cluster.migrated())
    with pytest.raises(StoreError, match="fsync=off: accepted work could be lost"):
        store.writer_connection()
    store.close()


def test_a_second_server_on_the_same_sqlite_file_is_refused(tmp_path: Path) -> None:
    url = sqlite(tmp_path)
    first = Store(url)
    with pytest.raises(StoreError, match="another server uses"):
        Store(url)
    first.close()
    Store(url).close()


def test_the_lock_of_a_killed_server_is_gone_with_it(tmp_path: Path) -> None:
    url = sqlite(tmp_path)
    code = f"from barnstorm_server.store.engine import Store; s = Store({url!r}); print('open', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with pytest.raises(StoreError, match="another server uses"):
        Store(url)
    process.kill()
    process.communicate()
    Store(url).close()


def test_two_stores_share_one_postgresql(cluster: Cluster) -> None:
    url = cluster.migrated()
    first, second = Store(url), Store(url)
    first.close()
    second.close()


def test_a_database_in_a_place_that_is_not_ours_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot open the database"):
        Store(f"sqlite:///{tmp_path}/file/barnstorm.db")


def test_the_time_is_the_databases(store: Store) -> None:
    with store.engine.connect() as connection:
        first, second = store.now(connection), store.now(connection)
        if not store.is_sqlite:
            assert first <= connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
    assert 1_700_000_000 < first <= second
