"""The directory of one local worker: all that is known of it lies here, so that it outlives the harvester.

order.json  whose worker this is, and its shape; written before anything is started
join_token  mode 0600
start.sh    starts the pilot and writes down how it ended
pid         the line of /proc/PID/stat of start.sh: made once, by whoever is first (see `void`)
exit        the pilot's exit code
cancel      until when it may end politely (epoch seconds)
stdout, stderr, work/
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barnstorm.model.base import from_wire, to_wire
from barnstorm.model.shape import Shape

from .base import WorkerOrder
from .launch import pilot_arguments, pilot_variables, without_own_settings
from .processes import Process, boot_id, parse

_VOID = "void\n"

# Whoever makes the file `pid` first (noclobber is O_EXCL) decides whether the worker runs: this script, or a harvester
# that looks for lost submissions. The script outlives a SIGTERM sent to the group, to write down how the pilot ended;
# one that comes before there is a pilot to hear it is known by the file `cancel`, which is there before the signal.
_START = """#!/bin/sh
cd {here} || exit 125
set -C
read -r stat < /proc/$$/stat || exit 125
{{ printf '%s\\n' "$stat" > pid; }} 2> /dev/null || exit 125
set +C
trap : TERM INT HUP
(
[ -e cancel ] && exit 143
{setup}
exec {command}
)
rc=$?
printf '%s\\n' "$rc" > exit.new && mv exit.new exit
exit "$rc"
"""


@dataclass(frozen=True)
class Owner:
    """Who ordered the worker of a directory, and what it takes."""

    worker: str
    labels: Mapping[str, str]
    shape: Shape
    boot: str
    at: float


class WorkDir:
    """One worker's directory. Reading what is not there gives None; other trouble raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, order: WorkerOrder) -> None:
        """Write down all that the worker needs, and that it is about to be."""
        self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._write("join_token", order.join_token, 0o600)
        work = order.pilot.work_dir or str(self.path / "work")
        command = [sys.executable, "-P", "-m", "barnstorm_pilot", *pilot_arguments(order, work)]
        script = _START.format(
            here=shlex.quote(str(self.path)), setup="\n".join(order.pilot.setup), command=shlex.join(command)
        )
        self._write("start.sh", script, 0o700)
        owner = {"worker": order.worker, "labels": dict(order.labels), "shape": to_wire(order.shape)}
        self._write("order.json", json.dumps({**owner, "boot": boot_id(), "at": time.time()}), 0o600)

    def start(self, order: WorkerOrder) -> int:
        """Start the pilot in a session of its own, so that nothing that happens to this process reaches it.

        Returns the pid of a child that the caller has to reap.
        """
        environment = {**_environment(), **pilot_variables(order, str(self.path / "join_token"))}
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", str(self.path / "start.sh")],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.path / "stdout"), appending, 0o600),
                (os.POSIX_SPAWN_OPEN, 2, str(self.path / "stderr"), appending, 0o600),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT],
        )

    def owner(self) -> Owner | None:
        """Whose worker this is; None where the order was never written in full."""
        text = self._text("order.json")
        try:
            said: dict[str, Any] = json.loads(text or "")
            shape = from_wire(Shape, said["shape"])
            return Owner(said["worker"], said["labels"], shape, said["boot"], said["at"])
        except (ValueError, KeyError):
            return None

    def leader(self) -> Process | None:
        """The process that start.sh wrote down; None before it did, or where it was kept from starting."""
        text = self._text("pid")
        return parse(text) if text and text.endswith("\n") else None

    def is_void(self) -> bool:
        """Whether it was kept from starting."""
        return self._text("pid") == _VOID

    def void(self) -> bool:
        """Keep a submission whose answer was lost from ever starting. False: it has started, or may have."""
        try:
            self._write("pid", _VOID, 0o600, exclusive=True)
        except FileExistsError:
            return self.is_void()
        except FileNotFoundError:
            return True
        return True

    def exit(self) -> tuple[int, float] | None:
        """The pilot's exit code and when it was written (epoch seconds), once it has ended."""
        text = self._text("exit")
        if text is None or not text.strip().isdigit():
            return None
        return int(text), (self.path / "exit").stat().st_mtime

    def ask_to_end(self, deadline: float) -> None:
        self._write("cancel", f"{deadline}\n", 0o600)

    def deadline(self) -> float | None:
        """Until when the worker may end politely, if it was asked to."""
        text = self._text("cancel")
        try:
            return float(text) if text else None
        except ValueError:
            return None

    def tail(self, name: str, limit: int) -> str:
        """The last `limit` bytes of a file."""
        try:
            with open(self.path / name, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
                return file.read(limit).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def remove(self) -> None:
        """Remove the directory, also where a payload took away its own permissions."""

        def open_up(call: Callable[..., Any], path: str, _: object) -> None:
            with contextlib.suppress(OSError):
                os.chmod(os.path.dirname(path), 0o700)
                if os.path.isdir(path) and not os.path.islink(path):
                    os.chmod(path, 0o700)
                    shutil.rmtree(path)
                else:
                    os.unlink(path)

        shutil.rmtree(self.path, onerror=open_up)

    def _text(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, name: str, text: str, mode: int, exclusive: bool = False) -> None:
        """All of a file or nothing of it; with `exclusive` only where there is none yet (raises FileExistsError)."""
        path = self.path / name
        where = path if exclusive else path.with_name(name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
        with open(os.open(where, flags, mode), "w", encoding="utf-8") as file:
            file.write(text)
        if not exclusive:
            os.replace(where, path)


def _environment() -> dict[str, str]:
    """This process's environment for a pilot, which runs elsewhere: relative places of Python's would lead astray."""
    environment = without_own_settings()
    if environment.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, environment["PYTHONPATH"].split(os.pathsep)))
    return environment
