"""Files that only their owner may read: made atomically, refused when others could read or change them."""

import os
import secrets
import stat
from pathlib import Path

from .errors import UnsafeFiles


def private_directory(path: Path) -> Path:
    """Make a directory with mode 0700, or check that the one there is nobody else's. Raises UnsafeFiles."""
    own_directory(path)
    refuse_unless_private(path)
    return path


def own_directory(path: Path) -> Path:
    """Make a directory with mode 0700, or check that not everybody may write in the one there. Raises UnsafeFiles."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UnsafeFiles(f"{path} cannot be made or used: {error.strerror}") from error
    if mode & 0o002:
        raise UnsafeFiles(f"{path} has mode {mode:04o}, so that everybody can write there: chmod 700 {path}")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise UnsafeFiles(f"{path} cannot be written by user id {os.geteuid()}, which runs this: chown it")
    return path


def refuse_unless_private(path: Path) -> None:
    """Raises UnsafeFiles when others than the owner can read or change `path`, or when it belongs to somebody else."""
    found = path.lstat()
    mode = stat.S_IMODE(found.st_mode)
    right = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeFiles(f"{path} is a symbolic link: put the secret itself there, not a link to it")
    if found.st_uid not in (os.geteuid(), 0):
        raise UnsafeFiles(f"{path} belongs to user id {found.st_uid}, not to the one that runs this: chown it")
    if mode & 0o077:
        raise UnsafeFiles(f"{path} has mode {mode:04o}, so that others can use it: chmod {right:o} {path}")


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path`: a reader, and a crash at any time, finds the old bytes or the new, and never a wider mode."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory last through a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
