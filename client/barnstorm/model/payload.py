"""What a job runs: a union told apart by `kind`. Further kinds (functions, containers) join here."""

from dataclasses import dataclass
from typing import Literal, Union

from .base import Spec, field


@dataclass
class CommandPayload(Spec):
    """A program with arguments, run as they stand (no shell); placeholders are filled in each argument."""

    argv: list[str] = field(doc="the program and its arguments")
    kind: Literal["command"] = "command"


@dataclass
class ScriptPayload(Spec):
    """A script's text, run by the interpreter its first line names, else by /bin/sh; placeholders only in `args`."""

    text: str = field(max_length=1_000_000)
    args: list[str] = field(factory=list)
    name: str = field("script", pattern=r"^[A-Za-z0-9._-]{1,100}$", doc="the file name it gets")
    kind: Literal["script"] = "script"


Payload = Union[CommandPayload, ScriptPayload]
