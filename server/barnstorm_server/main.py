"""`barnstorm-server`: runs the server, and what an administrator does to it on its own machine."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (the package installs on 3.9, for the client)
    sys.exit("barnstorm-server: needs Python 3.11 or newer; this is " + sys.version.split()[0])

import argparse
import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from barnstorm.settingsfile import Loaded, SettingsError
from barnstorm_server.auth.errors import UnsafeFiles
from barnstorm_server.settings import Settings, load_settings

# A sub-command: gets the settings and the rest of the command line, and returns the exit code.
Command = Callable[[Loaded[Settings], Sequence[str]], int]

# Where each sub-command is; imported when it is asked for.
COMMANDS = {
    "run": ("barnstorm_server.serve:run", "run the server (the default)"),
    "settings": ("barnstorm_server.admin.settings:run", "print the settings in force, and where each is from"),
    "keys": ("barnstorm_server.admin.keys:run", "list or rotate the keys that sign tokens"),
    "token": ("barnstorm_server.admin.token:run", "make a token, without a running server"),
    "db": ("barnstorm_server.admin.db:run", "upgrade or check the database"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command. Exit codes: 0 well, 1 it failed, 2 wrong use or wrong settings."""
    arguments = _parser().parse_args(argv)
    try:
        loaded = load_settings(arguments.config, os.environ)
    except SettingsError as error:
        return _refuse(error.problems, 2)
    try:
        return _command(arguments.command)(loaded, arguments.rest)
    except UnsafeFiles as error:
        return _refuse([str(error)], 1)


def _command(name: str) -> Command:
    module, _, function = COMMANDS[name][0].partition(":")
    try:
        command: Command = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("barnstorm"):
            raise
        sys.exit(f"barnstorm-server: {error.name} is not installed: pip install 'barnstorm[server]'")
    return command


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:<10} {words}" for name, (_, words) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "barnstorm-server",
        description=f"Barnstorm's server.\n\ncommands (`COMMAND --help` tells more):\n{listed}",
        epilog="Each setting is in docs/operator/server.md and etc/server.toml; variables BARNSTORM_SERVER_… override "
        "the file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings [BARNSTORM_SERVER_CONFIG]")
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="run", metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _refuse(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        print(f"barnstorm-server: {problem}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
