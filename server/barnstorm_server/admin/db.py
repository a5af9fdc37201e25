"""`barnstorm-server db`: the database's schema."""

import argparse
import sys
from collections.abc import Sequence

from barnstorm.settingsfile import Loaded
from barnstorm_server.auth.private import own_directory
from barnstorm_server.settings import Settings
from barnstorm_server.store import schema
from barnstorm_server.store.engine import Store
from barnstorm_server.store.errors import StoreError


def run(loaded: Loaded[Settings], arguments: Sequence[str]) -> int:
    """Upgrade or check; 1 when the database is not what this version needs, or is damaged."""
    parser = argparse.ArgumentParser("barnstorm-server db", description="The database's schema.")
    parser.add_argument(
        "what",
        choices=["upgrade", "check"],
        help="upgrade: bring it to this version, as the start of the server does; check: say whether it is there",
    )
    what = parser.parse_args(arguments).what
    own_directory(loaded.settings.data_dir)
    try:
        store = Store(loaded.settings.database)
        try:
            return _upgrade(store) if what == "upgrade" else _check(store)
        finally:
            store.close()
    except StoreError as error:
        print(f"barnstorm-server db: {error}", file=sys.stderr)
        return 1


def _upgrade(store: Store) -> int:
    before = schema.current(store.engine)
    schema.upgrade(store.engine)
    after = schema.head()
    print(f"the schema is at {after}" + ("" if before == after else f"; it was {before or 'empty'}"))
    return 0


def _check(store: Store) -> int:
    at, wanted = schema.current(store.engine), schema.head()
    if at != wanted:
        print(
            f"the schema is {f'at {at}' if at else 'empty'}; this version needs {wanted}: barnstorm-server db upgrade"
        )
        return 1
    if store.is_sqlite:
        with store.engine.connect() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check").scalar()
        if said != "ok":
            print(f"the schema is at {at}, but the file is damaged: {said}")
            return 1
    print(f"the schema is at {at}, as this version needs it")
    return 0
