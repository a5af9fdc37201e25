"""`barnstorm-harvester`: turns the demand of queues into workers on batch systems."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (the package installs on 3.9, for the client)
    sys.exit("barnstorm-harvester: needs Python 3.11 or newer; this is " + sys.version.split()[0])

import argparse
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from barnstorm.settingsfile import Loaded, SettingsError
from barnstorm.settingsfile.docs import effective, example, table

from . import journal
from .service import CannotStart, Service
from .settings import PREFIX, TOLD, VARIABLES, Settings, load_settings
from .store import StoreError

HEAD = """
The settings of barnstorm-harvester, each at its default:  barnstorm-harvester --config FILE

Each can be set by a variable too, and the variable wins: BARNSTORM_HARVESTER_ and the name in capitals; for server,
token_file and ca_file it is BARNSTORM_SERVER, BARNSTORM_TOKEN_FILE and BARNSTORM_CA_FILE. A relative path starts from
this file's folder.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; a second one ends it at once, and leaves workers as they are."""
    arguments = _parser().parse_args(argv)
    try:
        loaded = load_settings(arguments.config, os.environ)
        if arguments.command == "settings":
            print(_settings(loaded, arguments), end="")
            return 0
        journal.set_up(loaded.settings.log_level)
        service = Service(loaded.settings)
    except SettingsError as error:
        return _refuse(error.problems, 2)
    except (CannotStart, StoreError) as error:
        return _refuse([str(error)], 1)
    _hear_signals(service)
    service.run()
    return 0


def _hear_signals(service: Service) -> None:
    """Stop the service on SIGTERM and SIGINT. A handler may interrupt whoever holds a lock, so it takes none."""
    heard, told = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(told, b"!"))

    def listen() -> None:
        while os.read(heard, 1):
            service.stop()

    threading.Thread(target=listen, name="signals", daemon=True).start()


def _settings(loaded: Loaded[Settings], arguments: argparse.Namespace) -> str:
    if arguments.example:
        return example_file()
    return settings_table() if arguments.markdown else effective(loaded, {})


def example_file() -> str:
    """The text of etc/harvester.toml."""
    return example(Settings, HEAD, TOLD)


def settings_table() -> str:
    """The table in docs/site/harvester.md."""
    return table(Settings, PREFIX, VARIABLES, TOLD)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "barnstorm-harvester",
        description="Turns the demand of queues into workers on batch systems, and follows them.\n\n"
        "commands:\n  run        serve until stopped (the default)\n"
        "  settings   print the settings in force, and where each is from",
        epilog="Each setting is in docs/site/harvester.md and etc/harvester.toml; variables BARNSTORM_HARVESTER_… "
        "override the file.\nExit codes: 0 stopped as asked, 1 cannot start, 2 a setting is wrong.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file with settings [BARNSTORM_HARVESTER_CONFIG]"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--example", action="store_true", help="settings: print a file with every one at its default")
    which.add_argument("--markdown", action="store_true", help="settings: print the table of docs/site/harvester.md")
    parser.add_argument("command", nargs="?", choices=["run", "settings"], default="run", metavar="COMMAND")
    return parser


def _refuse(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        print(f"barnstorm-harvester: {problem}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
