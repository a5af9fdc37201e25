"""A whole system as `jobctl up` starts it, in a directory of its own and with short leases."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from barnstorm.api.people import PeopleApi
from barnstorm.connect import connect
from barnstorm.contexts import load
from barnstorm.model.payload import CommandPayload
from barnstorm.model.shape import Needs
from barnstorm.model.task import TaskSpec

SMALL = Needs(memory_mib=200, walltime_s=120, disk_mib=50)


class System:
    """A running system: `api` of its owner, and the processes it is made of."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.config = folder / "contexts.json"
        self.environ = {
            **os.environ,
            "BARNSTORM_CONFIG": str(self.config),
            "BARNSTORM_SERVER_HEARTBEAT_S": "0.5",
            "BARNSTORM_SERVER_LEASE_S": "3",
        }

    def up(self) -> None:
        place = ("--data-dir", str(self.data_dir), "--port", "0")  # the usual port may be another test's
        done = self.jobctl("up", "--detach", *place, "--cores", "2", "--memory", "4000")
        assert done.returncode == 0, done.stderr
        self.api = PeopleApi(connect(load(self.config).named("local"), patience_s=60))

    def down(self) -> None:
        self.api.connection.transport.close()
        self.jobctl("down", "--data-dir", str(self.data_dir))

    def sweep(self) -> None:
        """End pilots whose harvester had been killed when the system stopped; the next one would adopt them."""
        for process in self.processes("barnstorm_pilot"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def jobctl(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Call jobctl as a person would."""
        command = [sys.executable, "-m", "barnstorm.jobctl", *words]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=100)

    def processes(self, module: str) -> list[psutil.Process]:
        """The live processes of this system that run a module, such as `barnstorm_server`."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            try:
                if module in (process.info["cmdline"] or []) and self._is_ours(process):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        return str(self.data_dir) in " ".join([*process.cmdline(), *process.environ().values()])

    def sh(self, script: str, **more: object) -> int:
        """Submit a shell command; returns its task."""
        spec = TaskSpec(CommandPayload(["/bin/sh", "-c", script]), needs=SMALL, **more)  # type: ignore[arg-type]
        return int(self.api.submit(spec)["id"])


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path)
    made.up()
    yield made
    made.down()
    made.sweep()
