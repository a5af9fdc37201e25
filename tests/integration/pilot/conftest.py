"""A fake server, and real pilots as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .fake_server import FakeServer
from .pilot_process import PilotProcess

StartPilot = Callable[..., PilotProcess]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    made = FakeServer()
    yield made
    made.close()


@pytest.fixture
def start(server: FakeServer, tmp_path: Path) -> Iterator[StartPilot]:
    """Starts pilots for the fake server; what still runs at the end is killed."""
    started: list[PilotProcess] = []

    def start_one(*arguments: Any, env: dict[str, str] | None = None, **options: Any) -> PilotProcess:
        token = tmp_path / "token"
        token.write_text("join-token\n")
        settings = {
            "cores": 1,
            "memory-mib": 500,
            "disk-mib": 500,
            "idle-s": 30,
            "grace-s": 2,
            "work-dir": tmp_path / "work",
        }
        settings.update({name.replace("_", "-"): value for name, value in options.items()})
        words = [word for name, value in settings.items() if value is not None for word in (f"--{name}", str(value))]
        environment = {
            "PATH": os.environ["PATH"],
            "BARNSTORM_SERVER": server.url,
            "BARNSTORM_QUEUE": "local",
            "BARNSTORM_JOIN_TOKEN_FILE": str(token),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **(env or {}),
        }
        log = open(tmp_path / f"pilot-{len(started)}.log", "wb")  # noqa: SIM115 - the pilot writes to it
        process = subprocess.Popen(
            [sys.executable, "-m", "barnstorm_pilot", *words, *map(str, arguments)],
            env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=tmp_path,
        )  # fmt: skip
        log.close()
        made = PilotProcess(process, Path(log.name), tmp_path / "work")
        started.append(made)
        return made

    yield start_one
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
            one.process.send_signal(signal.SIGTERM)
            try:
                one.process.wait(15)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
