"""`barnstorm-server keys`: the keys that sign tokens."""

import argparse
import time
from collections.abc import Sequence

from barnstorm.settingsfile import Loaded
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.settings import Settings


def run(loaded: Loaded[Settings], arguments: Sequence[str]) -> int:
    """List, rotate or prune. A running server sees the change with the next token it signs or verifies."""
    parser = argparse.ArgumentParser("barnstorm-server keys", description="The keys that sign tokens.")
    parser.add_argument(
        "what",
        choices=["ls", "rotate", "prune"],
        help="ls: list them; rotate: sign with a new key from now on, what the old ones signed stays good; "
        "prune: delete the old ones whose last token has ended",
    )
    what = parser.parse_args(arguments).what
    keys = KeyRing.open(loaded.settings.data_dir)
    if what == "rotate":
        print(f"signing with {keys.rotate()} from now on")
    elif what == "prune":
        print("deleted: " + (", ".join(keys.prune(time.time())) or "none"))
    else:
        *old, signing = keys.kids()
        print("\n".join([*(f"{kid}  verifies" for kid in old), f"{signing}  signs"]))
    return 0
