"""Upload of a task's input files: each file once, by its content, a few at a time, with progress on a terminal."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Callable

import click

from ..api.connection import Connection
from .parallel import threads
from .words import plural, size

MAX_FILE = 2 * 1024**3
SHOW_FROM = 8 * 1024**2


class _Counted:
    """A file that tells how much of it was read; reads below `counted_from` (the hashing) do not count."""

    def __init__(self, file: BinaryIO, told: Callable[[int], None]) -> None:
        self._file = file
        self._told = told
        self._sending = False

    def read(self, amount: int = -1) -> bytes:
        piece = self._file.read(amount)
        if self._sending:
            self._told(len(piece))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        self._sending = True
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def upload_all(connection: Connection, uploads: list[tuple[dict[str, Any], Path]]) -> None:
    """Store each file and write its `blob:` source into its document. Raises click.UsageError for too large a one."""
    sizes = {path: path.stat().st_size for _document, path in uploads}
    for path, octets in sizes.items():
        if octets > MAX_FILE:
            raise click.UsageError(
                f"--input {path}: {size(octets)} is over the {MAX_FILE // 1024**3} GiB that can be uploaded; "
                "put it where the site sees it and write site:/path"
            )
    total = sum(sizes.values())
    shown = total >= SHOW_FROM and sys.stderr.isatty()
    with _bar(total, len(sizes)) if shown else nullcontext(lambda octets: None) as told:
        digests = _send(connection, list(sizes), told)
    for document, path in uploads:
        document["source"] = f"blob:{digests[path]}"


def _send(connection: Connection, paths: list[Path], told: Callable[[int], None]) -> dict[Path, str]:
    def one(path: Path) -> str:
        with open(path, "rb") as file:
            digest, _size = connection.upload(_Counted(file, told))  # type: ignore[arg-type]
        return digest

    if len(paths) == 1:
        return {paths[0]: one(paths[0])}
    with threads(connection) as pool:
        return dict(zip(paths, pool.map(one, paths)))


class _bar:
    def __init__(self, total: int, files: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(f"uploading {plural(files, 'file')}", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return lambda octets: self._progress.advance(self._task, octets)

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()
