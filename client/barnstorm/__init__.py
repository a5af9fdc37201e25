"""Barnstorm: one place to send work that needs machines which belong to others.

    import barnstorm as bs

    task = bs.Client.from_context().submit(["python3", "fit.py", "{i}"], over=bs.Numbers("0-9"), outputs=["fit.json"])
    task.wait()

Everything is imported at its first use, so that `import barnstorm` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model.collection import FileIn, Files, Numbers, Rows, Seeds
    from .model.task import FileOut, TaskSpec
    from .sdk.client import Client
    from .sdk.task import JobsFailed, Output, Task

_PLACES = {
    "Client": "sdk.client",
    "FileIn": "model.collection",
    "FileOut": "model.task",
    "Files": "model.collection",
    "JobsFailed": "sdk.task",
    "Numbers": "model.collection",
    "Output": "sdk.task",
    "Rows": "model.collection",
    "Seeds": "model.collection",
    "Task": "sdk.task",
    "TaskSpec": "model.task",
}

__all__ = [
    "Client",
    "FileIn",
    "FileOut",
    "Files",
    "JobsFailed",
    "Numbers",
    "Output",
    "Rows",
    "Seeds",
    "Task",
    "TaskSpec",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'barnstorm' has no attribute {name!r}")
    value = getattr(import_module(f"barnstorm.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
