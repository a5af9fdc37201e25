"""The first tokens: with them the person who started the server, and its own harvester, log in."""

import getpass
import os
from collections.abc import Callable
from pathlib import Path

from .errors import BadToken, UnsafeFiles
from .principal import Kind
from .private import private_directory, refuse_unless_private, write_atomically
from .tokens import Issued, TokenAuthority

TTL_S = 365 * 86_400
RENEW_BEFORE_S = 30 * 86_400

# Called with each token made: kind, subject, token. The server notes it in its list of tokens.
Record = Callable[[Kind, str, Issued], None]


def ensure_tokens(
    authority: TokenAuthority, data_dir: Path, user: str | None = None, record: Record | None = None
) -> dict[Kind, Path]:
    """Make sure that `tokens/operator.token` and `tokens/harvester.token` hold good tokens; returns where they are.

    The operator is `user`, else the one whose process this is; the harvester is `local`. A token is left alone while it
    is good, for the same subject, and for 30 days more; else a new one replaces it, mode 0600, whole or not at all.
    Raises UnsafeFiles when others could read them.
    """
    directory = private_directory(data_dir / "tokens")
    wanted: tuple[tuple[Kind, str], ...] = (("operator", user or user_name()), ("harvester", "local"))
    found: dict[Kind, Path] = {}
    for kind, subject in wanted:
        path = found[kind] = directory / f"{kind}.token"
        if _is_good(authority, path, kind, subject):
            continue
        issued = authority.issue(kind, subject, TTL_S)
        if record is not None:
            record(kind, subject, issued)
        write_atomically(path, f"{issued.token}\n".encode())
    return found


def user_name() -> str:
    """The name of the user that runs this; of one without a name its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


def _is_good(authority: TokenAuthority, path: Path, kind: Kind, subject: str) -> bool:
    try:
        refuse_unless_private(path)
        principal = authority.verify(path.read_text(encoding="utf-8").strip())
    except (FileNotFoundError, UnicodeDecodeError, BadToken):
        return False
    except PermissionError as error:
        raise UnsafeFiles(f"{path} cannot be read: {error.strerror}") from error
    same = principal.kind == kind and principal.subject == subject
    return same and not principal.queues and principal.expires_at - authority.now() > RENEW_BEFORE_S
