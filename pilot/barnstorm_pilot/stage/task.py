"""`task:N` or `task:N/name`: the outputs of another task's finished jobs, laid down as `N/<index>/<name>`."""

import os
import threading
from collections import deque
from typing import Any

from barnstorm.api.errors import ApiError, NotFound, Stale, Unreachable
from barnstorm.model.collection import FileIn

from ..workdir import confined
from .base import Abandoned, StageContext, StageFault, Stager
from .blob import fetch_blob
from .retry import with_patience

PARALLEL = 4


class TaskStager(Stager):
    """Lists the outputs, then brings them, several at a time: a merge job may have thousands of small ones."""

    schemes = ("task",)

    def fetch(self, file: FileIn, target: str, context: StageContext) -> None:
        """`target` is the directory that gets `<index>/<name>`. No output at all is a missing input."""
        task, _, name = file.source[len("task:") :].partition("/")
        try:
            found = with_patience(lambda: list(context.api.outputs(int(task), context.attempt, name or None)), context)
        except NotFound:
            raise StageFault("input_missing", f"there is no task {task}") from None
        except Stale:
            raise Abandoned(context.attempt) from None
        except (ApiError, Unreachable) as error:
            raise StageFault("stage_in", f"outputs of task {task}: {error}") from None
        if not found:
            raise StageFault("input_missing", f"task {task} has no output" + (f" named {name}" if name else ""))
        _bring_all(found, target, context)


def _bring_all(outputs: list[dict[str, Any]], target: str, context: StageContext) -> None:
    waiting: deque[dict[str, Any]] = deque(outputs)
    errors: list[Exception] = []

    def bring() -> None:
        try:
            while waiting and not errors:
                try:
                    _bring(waiting.popleft(), target, context)
                except IndexError:
                    return  # another thread took the last one
        except Exception as error:  # noqa: BLE001 - raised again below, by the thread that waits for all
            errors.append(error)
        finally:
            if threading.current_thread() in others:
                context.api.connection.transport.close()

    others = [threading.Thread(target=bring, daemon=True) for _ in range(min(PARALLEL, len(outputs)) - 1)]
    for other in others:
        other.start()
    bring()
    for other in others:
        other.join()
    if errors:
        raise errors[0]


def _bring(output: dict[str, Any], target: str, context: StageContext) -> None:
    path = confined(target, f"{output['index']}/{output['name']}")
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    fetch_blob(output["blob"], path, context)
