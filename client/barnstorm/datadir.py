"""Where a system on this machine keeps its data unless told otherwise."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

VARIABLE = "BARNSTORM_DATA_DIR"


def default_data_dir(environ: Optional[Mapping[str, str]] = None) -> Path:
    """`$BARNSTORM_DATA_DIR`, else `$XDG_DATA_HOME/barnstorm`, else `~/.local/share/barnstorm`; always absolute."""
    env = os.environ if environ is None else environ
    if env.get(VARIABLE):
        return Path(env[VARIABLE]).expanduser().absolute()
    home = env.get("XDG_DATA_HOME", "")
    folder = Path(home) if os.path.isabs(home) else Path.home() / ".local" / "share"
    return folder / "barnstorm"
