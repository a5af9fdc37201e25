"""`barnstorm-pilot`: reads the settings and starts the two processes of a pilot."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Optional

from . import exits
from .settings import BadSetting, Settings, load


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a pilot; returns its exit code."""
    try:
        settings = load(arguments, os.environ)
    except BadSetting as error:
        sys.stderr.write(f"barnstorm-pilot: {error}\n")
        return exits.USAGE
    _close_inherited_files()
    from .supervisor import run_supervised

    return run_supervised(lambda tell: _agent(settings, tell))


def _agent(settings: Settings, tell: Callable[[str], None]) -> int:
    # Imported only here, in the child: the parent that watches over it stays small.
    from .start import run

    return run(settings, tell)


def _close_inherited_files() -> None:
    """What our parent left open is none of the payloads' business; 0 to 2 must be open, or a log gets their number."""
    os.closerange(3, 1024)
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
