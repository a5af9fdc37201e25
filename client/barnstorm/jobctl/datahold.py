"""The data directory of `jobctl up`: who runs on it, where it can be reached, its logs."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from . import exits

if sys.platform != "win32":
    import fcntl

ROTATE_FROM = 16 * 1024 * 1024


class AlreadyRunning(Exception):
    """Another `jobctl up` holds the directory."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"pid {pid}")
        self.pid = pid


class DataDir:
    """A directory of mode 0700; `up.pid` in it is locked by the process that runs on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid_file = path / "up.pid"

    def make(self) -> None:
        """Make the directory and its folder of logs. Raises Stop when others could write in it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.path.stat()
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise exits.Stop(f"{self.path} is not yours alone to write in; chmod 700 it, or name another --data-dir")
        (self.path / "logs").mkdir(mode=0o700, exist_ok=True)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Run on the directory, alone. Raises AlreadyRunning."""
        self.make()
        handle = os.open(self._pid_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self._pid()) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(handle, 0)
        finally:
            os.close(handle)

    def running(self) -> int:
        """The pid of the process that runs on the directory, or 0."""
        try:
            handle = os.open(self._pid_file, os.O_RDWR)
        except FileNotFoundError:
            return 0
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._pid()
        finally:
            os.close(handle)
        return 0

    def _pid(self) -> int:
        text = self._pid_file.read_text().strip()
        return int(text) if text.isdigit() else 0

    def url(self) -> str:
        """Where the server listens; empty while it does not."""
        try:
            return (self.path / "server.url").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def log(self, name: str) -> Path:
        """A log file; a large one is moved aside first."""
        self.make()
        path = self.path / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > ROTATE_FROM:
            os.replace(path, path.with_suffix(".log.1"))
        return path

    def settings(self, name: str) -> Optional[Path]:
        """The user's own settings for a program, such as `server.toml`, where there are any."""
        path = self.path / f"{name}.toml"
        return path if path.is_file() else None
