"""A submitted task: wait for it, look at its jobs, read logs, fetch outputs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from ..api.people import PeopleApi
from .outputs import is_there, place_in, write
from .waiting import Waiter, has_ended, went_well

View = dict[str, Any]


class JobsFailed(Exception):
    """A task did not end well; `task` is it."""

    def __init__(self, task: "Task") -> None:
        counts = ", ".join(f"{count:,} {state}" for state, count in task.counts.items())
        super().__init__(f"task {task.id} ended {task.state}: {counts}; why: jobctl explain {task.id}")
        self.task = task


@dataclass(frozen=True)
class Output:
    """An output file of a finished job."""

    api: PeopleApi
    job: str
    index: int
    name: str
    size: int
    sha256: str

    def read(self) -> bytes:
        """All its bytes."""
        return b"".join(self.api.output(self.job, self.name))

    def save(self, folder: Union[str, Path], place: str = "") -> Path:
        """Write it below `folder`, at `place` or its own name, checked and in one step. Raises Refused."""
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        path = place_in(root.resolve(), place or self.name)
        if not is_there(path, {"size": self.size, "blob": self.sha256}):
            write(path, self.api.output(self.job, self.name), self.sha256)
        return path


class Task:
    """A handle on a task. `view` is what the server last said; `refresh` asks again."""

    def __init__(self, api: PeopleApi, view: View) -> None:
        self.api = api
        self.view = view

    def __repr__(self) -> str:
        return f"<Task {self.id} {self.state}: {self.counts}>"

    @property
    def id(self) -> int:
        return int(self.view["id"])

    @property
    def state(self) -> str:
        """The state when the server was last asked."""
        return str(self.view["state"])

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs were in each state when the server was last asked."""
        return dict(self.view["counts"])

    @property
    def ended(self) -> bool:
        return has_ended(str(self.id), self.view)

    def refresh(self) -> "Task":
        """Ask the server how it stands."""
        self.view = self.api.task(self.id)
        return self

    def wait(self, timeout_s: Optional[float] = None, check: bool = True) -> "Task":
        """Wait until it has ended. Raises TimeoutError, and JobsFailed (unless `check` is false) when it ended
        badly.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        waiter = Waiter(self.api, [str(self.id)])
        while waiter.refresh():
            if not waiter.sleep(until):
                raise TimeoutError(f"task {self.id} has not ended in {timeout_s:g} s")
        self.view = waiter.views[str(self.id)] or self.view
        if check and not went_well(self.view):
            raise JobsFailed(self)
        return self

    def jobs(self, state: Optional[str] = None) -> Iterator[View]:
        """The views of its jobs, by index; those in a state only, if one is named."""
        return self.api.jobs(self.id, **({"state": state} if state else {}))

    def outputs(self, name: Optional[str] = None) -> Iterator[Output]:
        """The output files of its finished jobs, by index; those of a name only, if one is given."""
        for one in self.api.outputs(self.id, name=name):
            yield Output(
                self.api, str(one["job"]), int(one["index"]), str(one["name"]), int(one["size"]), str(one["blob"])
            )

    def save(self, folder: Union[str, Path]) -> list[Path]:
        """Fetch all outputs: to FOLDER/name of a task with one job, else to FOLDER/<index>/name."""
        alone = int(self.view["jobs"]) == 1
        return [one.save(folder, one.name if alone else f"{one.index}/{one.name}") for one in self.outputs()]

    def log(self, index: int = 0, stream: str = "stdout", attempt: Optional[int] = None) -> bytes:
        """What a job wrote so far; of its last attempt unless another is named."""
        pieces: list[bytes] = []
        offset = 0
        while True:
            chunk = self.api.log(f"{self.id}.{index}", stream, offset, attempt)
            if not chunk.data:
                return b"".join(pieces)
            attempt = chunk.attempt or attempt
            pieces.append(chunk.data)
            offset = chunk.offset + len(chunk.data)

    def kill(self, reason: str = "") -> None:
        """End its jobs."""
        self.api.kill([str(self.id)], reason)

    def retry(self, jobs: Optional[str] = None) -> "Task":
        """A new task of its failed jobs, or of those named as ranges such as "0-3,9"."""
        return Task(self.api, self.api.retry(self.id, jobs))
