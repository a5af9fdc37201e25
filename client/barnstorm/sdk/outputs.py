"""Writing output files: each whole or not at all, its hash checked, never through a link or outside the folder."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..api.connection import digest_of
from ..model.task import InvalidSpec, check_path

View = dict[str, Any]


class Refused(Exception):
    """A file that is not written; the message says why."""


def place_in(root: Path, place: str) -> Path:
    """The path of `place` below `root`, its folders made. Raises Refused where it would lead elsewhere."""
    try:
        check_path("name", place)
    except InvalidSpec as error:
        raise Refused(error.message) from error
    parts = [part for part in place.split("/") if part not in ("", ".")]
    if not parts or (os.name == "nt" and any(sign in place for sign in "\\:")):
        raise Refused("this name is none for a file of this machine")
    path = root
    for part in parts[:-1]:
        path = path / part
        try:
            path.mkdir()
        except FileExistsError:
            if path.is_symlink() or not path.is_dir():
                raise Refused(f"{path} is in the way: it is no directory of its own") from None
    path = path / parts[-1]
    if path.is_symlink() or path.is_dir():
        raise Refused(f"{path} is in the way: it is a {'link' if path.is_symlink() else 'directory'}")
    return path


def write(path: Path, pieces: Iterable[bytes], digest: str) -> None:
    """Write beside the place and rename when every byte is there and right. Raises Refused."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
    seen = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                seen.update(piece)
                file.write(piece)
        if seen.hexdigest() != digest:
            raise Refused(f"what came has another sha256 ({seen.hexdigest()[:16]}… for {digest[:16]}…); try again")
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def is_there(path: Path, output: View) -> bool:
    """Whether an output lies at `path` already, byte for byte."""
    try:
        if path.stat().st_size != int(output["size"]):
            return False
        with open(path, "rb") as file:
            return digest_of(file)[0] == str(output["blob"])
    except FileNotFoundError:
        return False


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _umask()
