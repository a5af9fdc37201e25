"""Fetching many output files, a few at a time, with a count of what was done and what went wrong."""

import sys
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

from ..api.people import PeopleApi
from ..sdk.outputs import Refused, is_there, place_in, write
from .parallel import threads

View = dict[str, Any]
Shown = Callable[["Fetched"], None]
AHEAD = 64


@dataclass
class Fetched:
    """What was done: files written and their bytes, files that were there already, and a line for each that failed."""

    count: int = 0
    octets: int = 0
    kept: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Fetched") -> None:
        self.count += other.count
        self.octets += other.octets
        self.kept += other.kept
        self.failures += other.failures


def fetch_all(api: PeopleApi, found: Iterable[tuple[View, str]], folder: Path) -> Fetched:
    """Fetch each output to its place below the folder. Raises ApiError and Unreachable; bad files are in `failures`."""
    folder.mkdir(parents=True, exist_ok=True)
    root, done = folder.resolve(), Fetched()
    waiting: deque[Future[Fetched]] = deque()
    with _screen() as shown, threads(api.connection) as pool:
        try:
            for output, place in found:
                waiting.append(pool.submit(_one, api, root, output, place))
                if len(waiting) > AHEAD:
                    done.add(waiting.popleft().result())
                    shown(done)
            while waiting:
                done.add(waiting.popleft().result())
                shown(done)
        finally:
            for one in waiting:
                one.cancel()
    return done


def _one(api: PeopleApi, root: Path, output: View, place: str) -> Fetched:
    job, name = str(output["job"]), str(output["name"])
    try:
        path = place_in(root, place)
        if is_there(path, output):
            return Fetched(kept=1)
        write(path, api.output(job, name), str(output["blob"]))
        return Fetched(count=1, octets=int(output["size"]))
    except Refused as error:
        return Fetched(failures=[f"{job} {name!r}: {error}"])
    except OSError as error:
        return Fetched(failures=[f"{job} {name!r}: {error.strerror or error}"])


def _screen() -> AbstractContextManager[Shown]:
    return _Spinner() if sys.stderr.isatty() else nullcontext(lambda done: None)


class _Spinner:
    """How many files have come, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), TextColumn("fetching  {task.completed:,.0f} files  {task.fields[octets]}"))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar = self._progress.add_task("", total=None, octets="")

    def __enter__(self) -> Shown:
        self._progress.start()
        return self._show

    def __exit__(self, *_exc: Optional[object]) -> None:
        self._progress.stop()

    def _show(self, done: Fetched) -> None:
        from .words import size

        self._progress.update(self._bar, completed=done.count + done.kept, octets=size(done.octets))
