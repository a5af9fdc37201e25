"""Logs: one file for each attempt and stream, appended to and synced before an offset is acknowledged."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from barnstorm.model.ids import AttemptId

from .blobs import sync_folder

STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class Appended:
    """What became of a piece: `kept` bytes are on disk; `gap`: the piece began beyond them and was refused."""

    kept: int
    gap: bool = False


class LogFiles:
    """Logs below one folder, one subfolder for each task. A byte acknowledged is kept, at its offset, once."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._locks = [threading.Lock() for _ in range(64)]
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, attempt: AttemptId, stream: str, offset: int, data: bytes) -> Appended:
        """Append what is new of `data`, which begins at `offset`. Bytes that are here already are skipped.

        Past the limit nothing more is kept, though acknowledged bytes stay; raises OSError when the disk cannot take
        it.
        """
        path = self._path(attempt, stream)
        with self._locks[hash(path) % len(self._locks)]:
            kept = _size(path)
            if offset > kept:
                return Appended(kept, gap=True)
            new = data[kept - offset : kept - offset + max(0, self._most - kept)]
            if new:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    try:
                        file.write(new)
                        file.flush()
                        os.fdatasync(file.fileno())
                    except OSError:
                        os.truncate(path, kept)  # a half-written piece was never acknowledged
                        raise
                if not kept:
                    sync_folder(path.parent)
                    sync_folder(self._folder)
            return Appended(kept + len(new))

    def read(self, attempt: AttemptId, stream: str, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset` on; nothing past the end."""
        try:
            with self._path(attempt, stream).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def size(self, attempt: AttemptId, stream: str) -> int:
        """How many bytes are kept."""
        return _size(self._path(attempt, stream))

    def _path(self, attempt: AttemptId, stream: str) -> Path:
        return self._folder / str(attempt.task) / f"{attempt.index}.{attempt.number}.{stream}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
