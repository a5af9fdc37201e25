"""Writing fetched files: a few at a time, each whole or not at all, its hash checked, never through a link."""

import hashlib
import os
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Optional

from ..api.connection import digest_of
from ..model.task import InvalidSpec, check_path

View = dict[str, Any]
AT_ONCE = 4
AHEAD = 64


class Refused(Exception):
    """A file that is not written; the message says why."""


class Fetcher:
    """Fetches outputs into a folder. After the `with` block: `count`, `octets`, `kept` (there before), `failures`."""

    def __init__(self, api: Any, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.count = self.octets = self.kept = 0
        self.failures: list[str] = []
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._running: set[Future[int]] = set()
        self._progress: Optional[Any] = None

    def __enter__(self) -> "Fetcher":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._root = self.folder.resolve()
        if sys.stderr.isatty():
            self._show()
        return self

    def __exit__(self, kind: Any, *_rest: object) -> None:
        if kind is not None:
            for one in self._running:
                one.cancel()
        self._pool.shutdown(wait=True)
        if self._progress is not None:
            self._progress.stop()
        for one in self._running:
            if not one.cancelled() and kind is None:
                one.result()

    def add(self, output: View, place: str) -> None:
        """Fetch one output to `place`; waits while many are under way."""
        while len(self._running) >= AHEAD:
            self._running = {one for one in self._running if not one.done()}
            if len(self._running) >= AHEAD:
                next(iter(self._running)).result()
        self._running.add(self._pool.submit(self._one, output, place))

    def _one(self, output: View, place: str) -> int:
        try:
            path = place_in(self._root, place)
            if _is_there(path, output):
                self.kept += 1
            else:
                write(path, self.api.output(str(output["job"]), str(output["name"])), str(output["blob"]))
                self.count += 1
                self.octets += int(output["size"])
        except Refused as error:
            self.failures.append(f"{output['job']} {output['name']!r}: {error}")
        except OSError as error:
            self.failures.append(f"{output['job']} {output['name']!r}: {error.strerror or error}")
        if self._progress is not None:
            self._progress.update(self._bar, advance=1, octets=f"{self.octets / 1e6:,.1f} MB")
        return 1

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), TextColumn("fetching  {task.completed:,.0f} files  {task.fields[octets]}"))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar = self._progress.add_task("", total=None, octets="")
        self._progress.start()


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


def write(path: Path, pieces: Any, digest: str) -> None:
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


def _is_there(path: Path, output: View) -> bool:
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
