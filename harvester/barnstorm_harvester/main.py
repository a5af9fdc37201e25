"""`barnstorm-harvester`: turns the demand of queues into workers on batch systems."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import journal
from .service import CannotStart, Service
from .settings import NAMES, InvalidSetting, load, variable_of
from .store import StoreError

_EPILOG = """Every setting can stand in the file or in the environment, which wins:
{variables}
docs/site/harvester.md says what they mean; etc/harvester.toml is an example with all defaults.

Exit codes: 0 stopped as asked, 1 cannot start, 2 a setting is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; a second one ends it at once, and leaves workers as they are."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load(arguments.config)
        journal.set_up(settings.log_level)
        service = Service(settings)
    except InvalidSetting as error:
        print(f"barnstorm-harvester: {error}", file=sys.stderr)
        return 2
    except (CannotStart, StoreError) as error:
        print(f"barnstorm-harvester: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    variables = "\n".join(f"  {variable_of(name):34} {name}" for name in NAMES if name != "limits")
    parser = argparse.ArgumentParser(
        prog="barnstorm-harvester",
        description="Turns the demand of queues into workers on batch systems, and follows them.",
        epilog=_EPILOG.format(variables=variables),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", nargs="?", choices=["run"], default="run", help="run: serve until stopped (the default)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings as TOML (default: /etc/barnstorm/harvester.toml, if it is there)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
