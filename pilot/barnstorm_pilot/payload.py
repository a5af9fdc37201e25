"""From a task's payload to what is started: the program's path and its arguments."""

import os
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from barnstorm.model.payload import CommandPayload, Payload, ScriptPayload
from barnstorm.model.template import fill

from .workdir import confined


class CommandMissing(Exception):
    """The payload's program cannot be started; the message says why and what would help."""


class Program(NamedTuple):
    """What to start."""

    path: str
    argv: list[str]


class Finder:
    """Finds programs as a shell would, and remembers where those on PATH are."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def find(self, name: str, path: str, work: str) -> str:
        """The file to start for a command's first word. Raises CommandMissing."""
        if "/" in name:
            file = os.path.join(work, name)
            _check_executable(name, file)
            return file
        if (name, path) not in self._known:
            self._known[name, path] = self._search(name, path, work)
        return self._known[name, path]

    def _search(self, name: str, path: str, work: str) -> str:
        for directory in path.split(os.pathsep):
            file = os.path.join(directory or ".", name)
            if directory.startswith("/") and os.path.isfile(file) and os.access(file, os.X_OK):
                return file
        hint = ""
        if os.path.exists(os.path.join(work, name)):
            hint = f". It is in the work directory: write ./{name}"
        raise CommandMissing(f"no program {name!r} on this node's PATH ({path}){hint}")


def _check_executable(name: str, file: str) -> None:
    try:
        mode = os.stat(file).st_mode
    except OSError as error:
        raise CommandMissing(f"{name}: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        raise CommandMissing(f"{name} is a directory")
    if not os.access(file, os.X_OK):
        raise CommandMissing(f"{name} is not executable: give the input `executable`, or name its interpreter first")


def prepare(payload: Payload, values: Mapping[str, Any], work: str, path: str, finder: Finder) -> Program:
    """Fill the placeholders, write a script's text to its file, find the program.

    Raises CommandMissing, UnknownPlaceholder, PathEscapes, OSError.
    """
    known = dict(values)
    if isinstance(payload, CommandPayload):
        argv = [fill(word, known) for word in payload.argv]
        return Program(finder.find(argv[0], path, work), argv)
    if isinstance(payload, ScriptPayload):
        file = confined(work, payload.name)
        _write_script(file, payload.text)
        words = [*interpreter(payload.text), file, *(fill(word, known) for word in payload.args)]
        return Program(finder.find(words[0], path, work), words)
    raise CommandMissing(f"this pilot cannot run payloads of kind {getattr(payload, 'kind', '?')!r}")


def interpreter(text: str) -> list[str]:
    """What runs a script: the words of its first line as the kernel splits them (one argument at most), else /bin/sh.

    The interpreter is started by us, not by the kernel, so that scripts run from a noexec work directory too.
    """
    first = text.split("\n", 1)[0].rstrip("\r")
    if first.startswith("#!") and first[2:].strip():
        return first[2:].strip().split(None, 1)
    return ["/bin/sh"]


def _write_script(file: str, text: str) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o700)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        out.write(text)
