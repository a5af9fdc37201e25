"""Blobs: any bytes, under their sha256. Written aside and renamed, so a blob that is there is whole."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from barnstorm_server.store.errors import Invalid, NotFound, TooLarge

_PIECE = 1024 * 1024


class Incoming:
    """A blob on its way in. `add` pieces, then `keep`; leaving the `with` block without that leaves nothing behind."""

    def __init__(self, folder: Path, target: Path, digest: str, most: int) -> None:
        self._target, self._digest, self._most = target, digest, most
        handle, self._path = tempfile.mkstemp(prefix="in-", dir=folder)
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> "Incoming":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        Path(self._path).unlink(missing_ok=True)

    def add(self, piece: bytes) -> None:
        """Write a piece. Raises TooLarge past the limit."""
        self.size += len(piece)
        if self.size > self._most:
            raise TooLarge(
                f"a file may have at most {self._most:,} bytes", field="body", value=self.size, allowed=self._most
            )
        self._hash.update(piece)
        self._file.write(piece)

    def keep(self) -> None:
        """Check the hash and put the blob into its place, on disk for good. Raises Invalid for other bytes."""
        found = self._hash.hexdigest()
        if found != self._digest:
            raise Invalid(f"these bytes have the sha256 {found}", field="digest", value=self._digest)
        self._file.flush()
        os.fsync(self._file.fileno())
        folder = self._target.parent
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(self._path, self._target)
        sync_folder(folder)
        if is_new:
            sync_folder(folder.parent)


class BlobFiles:
    """Blobs below one folder, in 256 subfolders by the first two letters of the hash."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():  # what a killed server was writing
            left.unlink(missing_ok=True)

    def incoming(self, digest: str) -> Incoming:
        """A place for a blob to be written to."""
        return Incoming(self._incoming, self._path(digest), digest, self._most)

    def size(self, digest: str) -> int | None:
        """A blob's size in bytes, None when it is not here."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def pieces(self, digest: str, first: int, last: int) -> Iterator[bytes]:
        """Bytes first..last (inclusive) of a blob. Raises NotFound."""
        try:
            file = self._path(digest).open("rb")
        except FileNotFoundError:
            raise NotFound("blob", digest) from None
        with file:
            file.seek(first)
            left = last - first + 1
            while left > 0:
                piece = file.read(min(_PIECE, left))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk: a file's own fsync does not see to that."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
