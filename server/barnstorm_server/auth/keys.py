"""The ES256 keys that sign tokens, one file each in `<data_dir>/keys/` (mode 0600 in a directory of mode 0700).

The key of the highest number signs; older ones verify until the last token that they signed has ended. Processes
may share the directory: each sees the others' keys when it next needs one.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from .errors import UnknownKey
from .keyfiles import Key, delete_key, list_kids, make_key, read_key, read_until, write_until
from .private import private_directory

# How coarsely the end of a key's last token is kept: it is written at most once in this time, not with each token.
_UNTIL_STEP_S = 86_400


class KeyRing:
    """The keys of one directory. Thread-safe; makes the first key if there is none.

    Raises UnsafeFiles when the directory or a key could be used by others, or is no key.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = private_directory(directory)
        self._mutex = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._until: dict[str, float] = {}
        with self._alone():
            if not self._keys:
                self._make()

    @classmethod
    def open(cls, data_dir: Path) -> "KeyRing":
        """The keys of a server's data directory."""
        return cls(data_dir / "keys")

    def signing(self, until: float) -> Key:
        """The newest key, for a token that ends at `until`; that it is needed so long is then on disk."""
        with self._mutex:
            self._reload()
            key = self._newest()
            if until <= self._until[key.kid]:
                return key
        with self._alone():
            key = self._newest()
            if until > self._until[key.kid]:
                self._until[key.kid] = (until // _UNTIL_STEP_S + 1) * _UNTIL_STEP_S
                write_until(self.directory, key.kid, self._until[key.kid])
            return key

    def verifying(self, kid: str) -> ec.EllipticCurvePublicKey:
        """The public key `kid`, looked for on disk when it is not known yet. Raises UnknownKey."""
        with self._mutex:
            if kid not in self._keys:
                self._reload()
            if kid not in self._keys:
                raise UnknownKey(kid)
            return self._keys[kid].public

    def kids(self) -> list[str]:
        """All key ids, the signing one last."""
        with self._mutex:
            self._reload()
            return [key.kid for key in sorted(self._keys.values(), key=lambda key: key.number)]

    def rotate(self) -> str:
        """Make a new signing key; what the old ones signed stays good. Returns its id."""
        with self._alone():
            return self._make().kid

    def prune(self, now: float) -> list[str]:
        """Delete the keys, except the signing one, whose last token has ended before `now`. Returns their ids."""
        with self._alone():
            signing = self._newest().kid
            ended = [kid for kid in self._keys if kid != signing and read_until(self.directory, kid) < now]
            for kid in ended:
                delete_key(self.directory, kid)
                del self._keys[kid], self._until[kid]
            return ended

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread and no other process changes the directory meanwhile, and what lies there is known."""
        with self._mutex, (self.directory / ".lock").open("a") as lock:
            os.fchmod(lock.fileno(), 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._reload()
            yield

    def _make(self) -> Key:
        key = make_key(self.directory, self._newest().number + 1 if self._keys else 1)
        self._keys[key.kid], self._until[key.kid] = key, 0.0
        return key

    def _newest(self) -> Key:
        return max(self._keys.values(), key=lambda key: key.number)

    def _reload(self) -> None:
        """Take in keys that came and drop those that went; no more than a listing as long as nothing changed."""
        there = list_kids(self.directory)
        for kid in self._keys.keys() - there.keys():
            del self._keys[kid], self._until[kid]
        for kid in there.keys() - self._keys.keys():
            try:
                self._keys[kid] = read_key(self.directory, kid, there[kid])
            except FileNotFoundError:  # another process has just deleted it
                continue
            self._until[kid] = read_until(self.directory, kid)
