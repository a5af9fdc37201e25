"""The store's tests run on both engines: SQLite in a file, and a PostgreSQL that they start themselves."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.services.postgres import Cluster

from barnstorm_server.store import schema
from barnstorm_server.store.engine import Store

from .world import World

SQLITE = "sqlite"
POSTGRES = "postgres"
ENGINES = (SQLITE, pytest.param(POSTGRES, marks=pytest.mark.postgres))


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == SQLITE:
        return f"sqlite:///{tmp_path}/empty.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.empty()


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the tables of today."""
    if request.param == SQLITE:
        return sqlite(tmp_path)
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.emptied()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    world = World(store)
    yield world
    world.close()


def sqlite(folder: Path) -> str:
    """A migrated SQLite database below a folder: a copy of one that was made before."""
    (folder / "barnstorm.db").write_bytes(_migrated())
    return f"sqlite:///{folder}/barnstorm.db"


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "barnstorm.db"
        store = Store(f"sqlite:///{path}")
        schema.upgrade(store.engine)
        store.close()  # the last connection takes what is in the write-ahead log with it
        return path.read_bytes()
