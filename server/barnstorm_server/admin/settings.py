"""`barnstorm-server settings`: what is in force, the example file, or the table of the documentation."""

import argparse
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from barnstorm.settingsfile import Loaded
from barnstorm.settingsfile.docs import effective, example, table
from barnstorm_server.settings import PREFIX, TOLD, VARIABLES, Settings

HEAD = """
The settings of barnstorm-server, each at its default:  barnstorm-server --config FILE

Each can be set by a variable too, and the variable wins: BARNSTORM_SERVER_ and the name in capitals; for data_dir it is
BARNSTORM_DATA_DIR. A relative path starts from this file's folder.
"""


def run(loaded: Loaded[Settings], arguments: Sequence[str]) -> int:
    """Print settings."""
    parser = argparse.ArgumentParser("barnstorm-server settings", description="Print the settings in force.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--example", action="store_true", help="print a file with every setting at its default")
    which.add_argument("--markdown", action="store_true", help="print the table of docs/operator/server.md")
    chosen = parser.parse_args(arguments)
    if chosen.example:
        print(example_file(), end="")
    elif chosen.markdown:
        print(settings_table(), end="")
    else:
        print(effective(loaded, {"database_url": without_password(loaded.settings.database_url)}), end="")
    return 0


def example_file() -> str:
    """The text of etc/server.toml."""
    return example(Settings, HEAD, TOLD)


def settings_table() -> str:
    """The table in docs/operator/server.md."""
    return table(Settings, PREFIX, VARIABLES, TOLD)


def without_password(url: str) -> str:
    """A database URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    _, _, where = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{where}"))
