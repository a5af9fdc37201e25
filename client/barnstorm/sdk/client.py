"""A server as a Python program sees it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional, Union

from ..api.connection import Connection
from ..api.people import PeopleApi
from ..connect import connect
from ..contexts import resolve
from ..model.collection import Collection, FileIn
from ..model.payload import CommandPayload, Payload, ScriptPayload
from ..model.shape import Needs
from ..model.task import FileOut, TaskSpec, check_task
from .task import Task

PATIENCE_S = 60.0
NOT_YET = "blob:" + "0" * 64

Input = Union[str, "os.PathLike[str]", FileIn]


class Client:
    """Submits tasks and finds them again. Raises ApiError, Unreachable, InvalidSpec and ContextError."""

    def __init__(self, connection: Connection) -> None:
        self.api = PeopleApi(connection)

    @classmethod
    def from_context(cls, name: str = "", patience_s: float = PATIENCE_S) -> "Client":
        """The server that `jobctl login` or `jobctl up` remembered: the named context, or the current one.

        A server that is away or busy is waited for up to `patience_s` at each call. Raises ContextError.
        """
        return cls(connect(resolve(name), patience_s))

    def submit(
        self,
        command: Sequence[str] = (),
        *,
        script: str = "",
        args: Sequence[str] = (),
        over: Optional[Collection] = None,
        name: str = "",
        cores: int = 1,
        memory_mib: int = 2000,
        walltime_s: int = 3600,
        disk_mib: int = 1000,
        gpus: int = 0,
        tags: Sequence[str] = (),
        env: Optional[Mapping[str, str]] = None,
        inputs: Sequence[Input] = (),
        outputs: Sequence[str] = (),
        labels: Optional[Mapping[str, str]] = None,
        queues: Sequence[str] = (),
        sites: Sequence[str] = (),
        priority: int = 0,
        group: str = "",
        retries: int = 0,
        after: Sequence[Union[int, Task]] = (),
        key: Optional[str] = None,
    ) -> Task:
        """Submit a command, or a script's text with `args`; once for each content of `over`, else once.

        `inputs` are files of this machine (uploaded by content), "site:/path", "task:48213[/name]" or `FileIn` objects;
        `outputs` are names, with a "?" at the end where the file may be absent. A repeat with the same `key` gives the
        first one's task. What is wrong is told before anything is uploaded.
        """
        payload: Payload = ScriptPayload(script, list(args)) if script else CommandPayload(list(command))
        spec = TaskSpec(
            payload,
            name=name,
            over=over,
            needs=Needs(cores, memory_mib, walltime_s, disk_mib, gpus, list(tags)),
            env=dict(env or {}),
            inputs=[_described(one) for one in inputs],
            outputs=[FileOut(one.rstrip("?"), one.endswith("?")) for one in outputs],
            labels=dict(labels or {}),
            queues=list(queues),
            sites=list(sites),
            priority=priority,
            group=group,
            retries=retries,
            after=[one.id if isinstance(one, Task) else one for one in after],
        )
        check_task(spec)
        for given, described in zip(inputs, spec.inputs):
            if described.source == NOT_YET:
                with Path(str(given)).open("rb") as file:
                    described.source = "blob:" + self.api.connection.upload(file)[0]
        return self.submit_spec(spec, key)

    def submit_spec(self, spec: TaskSpec, key: Optional[str] = None) -> Task:
        """Submit a whole TaskSpec."""
        return Task(self.api, self.api.submit(spec, key))

    def task(self, number: int) -> Task:
        """A task by its id. Raises NotFound."""
        return Task(self.api, self.api.task(number))

    def tasks(self, *, limit: Optional[int] = 100, **filters: object) -> Iterator[Task]:
        """Tasks, newest first. Filters: state, user, name, label ("k=v" or a list of them)."""
        for view in self.api.tasks(limit=limit, **filters):
            yield Task(self.api, view)


def _described(given: Input) -> FileIn:
    """An input as the model has it; a file of this machine gets its source when it is uploaded."""
    if isinstance(given, FileIn):
        return given
    text = os.fspath(given)
    if text.startswith(("site:", "task:", "blob:")):
        return FileIn(text)
    path = Path(text)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {text!r}; for one already at the site write site:/path")
    return FileIn(NOT_YET, path.name, os.name == "posix" and os.access(path, os.X_OK))
