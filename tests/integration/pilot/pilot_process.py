"""A pilot that was started by a test, and what can be seen of it from outside."""

import os
import signal
import subprocess
from pathlib import Path

from tests.waiting import wait_for


class PilotProcess:
    """The process that a harvester would see, its log and its work directory."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, work_dir: Path) -> None:
        self.process, self._log, self.work_dir = process, log, work_dir

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = 20.0) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the pilot did not leave; its log:\n{self.log}") from None

    def agent(self) -> int:
        """The pid of the process that does the work."""
        return int(wait_for(lambda: children_of(self.process.pid), "the agent")[0])

    def left_files(self) -> list[str]:
        """What there is below the work directory."""
        return sorted(str(path.relative_to(self.work_dir)) for path in self.work_dir.rglob("*"))


def children_of(pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields and int(fields[1]) == pid:
                found.append(int(name))
    return found


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    fields = stat_fields(pid)
    return bool(fields) and fields[0] != "Z"
