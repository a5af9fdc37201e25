"""A payload's stdout or stderr on its way to the server: by acknowledged offset, without gap or repeat, and limited."""

import base64
import os
from typing import Literal, NamedTuple, Optional

from barnstorm.model.pilots import MAX_INLINE_LOG, LogPiece

PIECE = 1 << 20
Stream = Literal["stdout", "stderr"]


class Piece(NamedTuple):
    """Bytes of a log, and where they begin."""

    offset: int
    data: bytes


class LogStream:
    """What the server shall have of one log: the file's first `limit` bytes, and a last line on what is missing."""

    def __init__(self, name: Stream, fd: int, limit: int) -> None:
        self.name = name
        self._fd = fd
        self._limit = limit
        self.acked = 0
        self._mark: Optional[bytes] = None

    def finish(self) -> None:
        """The payload has ended: what is in the file now is all."""
        size = self.file_size()
        dropped = size - self._limit
        self._mark = (
            f"\n[barnstorm: {dropped:,} bytes dropped, limit {self._limit:,}]\n".encode() if dropped > 0 else b""
        )

    def file_size(self) -> int:
        return os.fstat(self._fd).st_size

    def size(self) -> int:
        """How many bytes there are to send at this moment, from the first one on."""
        return min(self.file_size(), self._limit) + len(self._mark or b"")

    def left(self) -> int:
        """How many of them the server does not have yet."""
        return max(0, self.size() - self.acked)

    def next_piece(self, most: int = PIECE) -> Optional[Piece]:
        """The next bytes for the server, or None when it has all there are."""
        kept = min(self.file_size(), self._limit)
        if self.acked < kept:
            data = os.pread(self._fd, min(most, kept - self.acked), self.acked)
        else:
            data = (self._mark or b"")[self.acked - kept :][:most]
        return Piece(self.acked, data) if data else None

    def acknowledge(self, offset: int) -> None:
        """The server keeps `offset` bytes. It knows best, also when that is less than it said before."""
        self.acked = max(0, offset)

    def inline(self) -> Optional[LogPiece]:
        """The rest of an ended log, small enough to travel in the report; None when there is nothing left."""
        offset, data = self.acked, b""
        while len(data) < self.left():
            kept = min(self.file_size(), self._limit)
            at = offset + len(data)
            more = os.pread(self._fd, kept - at, at) if at < kept else (self._mark or b"")[at - kept :]
            if not more:
                break
            data += more
        return LogPiece(self.name, offset, base64.b64encode(data).decode()) if data else None

    def fits_inline(self) -> bool:
        return self.left() <= MAX_INLINE_LOG
