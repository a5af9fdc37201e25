"""Blobs that jobs of one owner share on this node: bounded, least recently used first out, never shared by owners."""

import contextlib
import hashlib
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Callable

Fetch = Callable[[], Iterator[bytes]]


class BlobMismatch(Exception):
    """What came is not what was named."""


class BlobCache:
    """Files by owner and sha256. Jobs get copies: who changed a shared file would spoil his neighbours' input."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        self._path = path
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._used = 0

    def get(self, owner: str, digest: str, target: str, fetch: Fetch) -> None:
        """Write the blob to `target`, fetched where it is not kept. Raises BlobMismatch, OSError, fetch's errors."""
        name = f"{hashlib.sha256(owner.encode()).hexdigest()[:16]}-{digest}"
        if self._limit == 0:
            download(target, digest, fetch)
            return
        with self._lock:
            busy = self._busy.setdefault(name, threading.Lock())
        with busy:
            if not self._copy(name, target):
                download(target, digest, fetch)
                self._keep(name, target)
        with self._lock:
            self._busy.pop(name, None)

    def _copy(self, name: str, target: str) -> bool:
        with self._lock:
            if name not in self._sizes:
                return False
            self._sizes.move_to_end(name)
        try:
            shutil.copyfile(os.path.join(self._path, name), target)
        except FileNotFoundError:
            return False
        os.chmod(target, 0o600)
        return True

    def _keep(self, name: str, target: str) -> None:
        size = os.stat(target).st_size
        if size > self._limit // 4:
            return
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        try:
            shutil.copyfile(target, os.path.join(self._path, name))
        except OSError:
            return  # no room for comfort: the job has its file
        with self._lock:
            self._used += size - self._sizes.get(name, 0)
            self._sizes[name] = size
            while self._used > self._limit:
                old, freed = self._sizes.popitem(last=False)
                self._used -= freed
                self._drop(old)

    def _drop(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody cleaned up before us
            os.unlink(os.path.join(self._path, name))


def download(target: str, digest: str, fetch: Fetch) -> tuple[str, int]:
    """Write what `fetch` gives to `target`. Raises BlobMismatch, and leaves nothing, when it is not `digest`."""
    seen, size = hashlib.sha256(), 0
    try:
        with open(target, "xb") as out:
            os.fchmod(out.fileno(), 0o600)
            for piece in fetch():
                seen.update(piece)
                out.write(piece)
                size += len(piece)
        if seen.hexdigest() != digest:
            raise BlobMismatch(f"its sha256 is {seen.hexdigest()}, not {digest} ({size:,} bytes came)")
    except BaseException:
        os.unlink(target)
        raise
    return digest, size
