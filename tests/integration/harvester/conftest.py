"""A real harvester process against a server in the test and pilots that run nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .fake_server import FakeServer

HERE = Path(__file__).parent


class Harvester:
    """Starts, kills and restarts one harvester in one directory."""

    def __init__(self, folder: Path, server: FakeServer) -> None:
        self.dir = folder / "harvester"
        self.notes = folder / "notes"
        self.log = folder / "harvester.log"
        self.batch = folder / "batch"
        self.server = server
        self.process: subprocess.Popen[bytes] | None = None
        for path in (self.notes, self.batch):
            path.mkdir()
        self.dir.mkdir(mode=0o700)
        (self.dir / "token").write_text("a-harvester-token\n")

    def start(self, pilot: str = "stay", fault: str = "", **variables: str) -> None:
        """Start it; settings as BARNSTORM_HARVESTER_… variables by their names."""
        plugins = HERE / "plugins"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BARNSTORM_")}
        environment = {
            **inherited,
            "BARNSTORM_SERVER": self.server.url,
            "BARNSTORM_HARVESTER_NAME": "h1",
            "BARNSTORM_HARVESTER_DIR": str(self.dir),
            "BARNSTORM_LOCAL_CORES": "8",
            "BARNSTORM_LOCAL_MEMORY_MIB": "80000",
            "BARNSTORM_PILOT_FAKE": pilot,
            "BARNSTORM_PILOT_NOTES": str(self.notes),
            "PYTHONPATH": os.pathsep.join([str(HERE / "fake_pilot"), str(plugins), inherited.get("PYTHONPATH", "")]),
            **({"BARNSTORM_FAULT": fault} if fault else {}),
            **{f"BARNSTORM_HARVESTER_{name.upper()}": value for name, value in variables.items()},
        }
        with open(self.log, "ab") as log:
            command = [sys.executable, "-m", "barnstorm_harvester"]
            self.process = subprocess.Popen(command, env=environment, stderr=log, start_new_session=True)

    def wait(self, timeout_s: float = 20) -> int:
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        assert self.process is not None
        self.process.kill()
        self.wait()

    def started(self) -> dict[str, list[int]]:
        """Pids of all pilots that ever began, by worker."""
        found: dict[str, list[int]] = {}
        for note in self.notes.glob("w*.*"):
            worker, _, pid = note.name.partition(".")
            if pid.isdigit():
                found.setdefault(worker, []).append(int(pid))
        return found

    def note(self, worker: str) -> dict[str, Any]:
        (path,) = [one for one in self.notes.glob(f"{worker}.*") if one.suffix[1:].isdigit()]
        return dict(json.loads(path.read_text()))

    def worker_dir(self, worker: str) -> Path:
        return self.dir / "workers" / worker

    def clear(self) -> None:
        """End whatever a test left."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for leader in self.dir.glob("workers/*/pid"):
            word = leader.read_text().split(" ")[0]
            if word.isdigit():
                for end in (os.killpg, os.kill):
                    try:
                        end(int(word), signal.SIGKILL)
                    except OSError:
                        continue
        for child in self.notes.glob("child.*"):
            try:
                os.kill(int(child.suffix[1:]), signal.SIGKILL)
            except OSError:
                continue


def until(happened: Callable[[], Any], what: str, timeout_s: float = 20) -> Any:
    """Wait for a condition that nothing announces."""
    end = time.monotonic() + timeout_s
    while not (value := happened()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.01)
    return value


def runs(pid: int) -> bool:
    """Whether a process is alive and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def harvester(tmp_path: Path, server: FakeServer) -> Iterator[Harvester]:
    one = Harvester(tmp_path, server)
    yield one
    one.clear()
