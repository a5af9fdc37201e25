"""The schema: what the migrations make is what `tables.py` says, and a database of tomorrow is left alone."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from barnstorm_server.store import schema
from barnstorm_server.store.engine import Store
from barnstorm_server.store.errors import StoreError
from barnstorm_server.store.tables import metadata


@pytest.fixture
def empty(empty_url: str) -> Iterator[Store]:
    store = Store(empty_url)
    yield store
    store.close()


def test_the_migrations_bring_an_empty_database_to_the_tables_of_the_code(empty: Store) -> None:
    assert schema.current(empty.engine) is None
    schema.upgrade(empty.engine)
    assert schema.current(empty.engine) == schema.head()
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_partial_indexes_keep_their_conditions(empty: Store) -> None:
    """`compare_metadata` does not look at them, and without them the hot indexes would hold all of history."""
    schema.upgrade(empty.engine)
    option = "sqlite_where" if empty.is_sqlite else "postgresql_where"
    wanted = {
        index.name: (tuple(column.name for column in index.columns), bool(index.unique))
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    found = {}
    inspector = inspect(empty.engine)
    for table in metadata.tables:
        for index in inspector.get_indexes(table):
            if index.get("dialect_options", {}).get(option) is not None:
                found[index["name"]] = (tuple(index["column_names"]), bool(index["unique"]))
    assert found == wanted
    assert len(wanted) >= 6


def test_the_outbox_begins_with_its_head_row(empty: Store) -> None:
    schema.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        assert connection.execute(text("SELECT one, last_id FROM outbox_head")).all() == [(1, 0)]


def test_upgrading_again_changes_nothing(empty: Store) -> None:
    schema.upgrade(empty.engine)
    before = inspect(empty.engine).get_table_names()
    schema.upgrade(empty.engine)
    assert inspect(empty.engine).get_table_names() == before


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(empty: Store) -> None:
    schema.upgrade(empty.engine)
    with empty.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_of_tomorrow'"))
    with pytest.raises(StoreError, match=r"9999_of_tomorrow.*newer; upgrade Barnstorm"):
        schema.upgrade(empty.engine)
    assert schema.current(empty.engine) == "9999_of_tomorrow"
