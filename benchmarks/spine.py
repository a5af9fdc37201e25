"""The spine, measured as a user meets it: a system that `jobctl up` started, jobs through it, and what it costs idle.

    python benchmarks/spine.py [--data-dir DIR]

writes `benchmarks/results/spine.json`: a list of {name, value, unit, floor, ratio, …}. A floor is the same thing done
without any of our code, in the same run: starting the process by hand. Durable settings: SQLite in WAL mode with
synchronous=FULL, so nothing acknowledged is lost by a crash.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from barnstorm.api.people import PeopleApi
from barnstorm.connect import connect
from barnstorm.contexts import load
from barnstorm.model.collection import Numbers
from barnstorm.model.payload import CommandPayload
from barnstorm.model.shape import Needs
from barnstorm.model.task import TaskSpec

RESULTS = Path(__file__).parent / "results" / "spine.json"
SMALL = Needs(memory_mib=200, walltime_s=60, disk_mib=10)
NOW = ["date", "+%s.%N"]
REPEATS = 20
TRUE_JOBS = 1000
IDLE_S = 20.0


class System:
    """A whole system in a directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __enter__(self) -> PeopleApi:
        self._jobctl("up", "--detach", "--data-dir", str(self.data_dir), "--port", "0", "--cores", "2")
        return PeopleApi(connect(load().named("benchmark"), patience_s=30))

    def __exit__(self, *_: object) -> None:
        self._jobctl("down", "--data-dir", str(self.data_dir))

    def _jobctl(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "barnstorm.jobctl", "--context", "benchmark", *words], check=True)

    def server(self) -> psutil.Process:
        """The server's process."""
        for process in psutil.process_iter(["cmdline", "environ"]):
            words, environ = process.info["cmdline"] or [], process.info["environ"] or {}
            if "barnstorm_server" in words and environ.get("BARNSTORM_DATA_DIR") == str(self.data_dir):
                return process
        raise RuntimeError("the server's process was not found")


def run_one(api: PeopleApi) -> tuple[float, float]:
    """One job that tells the time: seconds from the submission to the payload, and from the payload to its report."""
    began = time.time()
    task = api.submit(TaskSpec(CommandPayload(NOW), needs=SMALL))["id"]
    ended = wait(api, task)
    told = float(api.log(f"{task}.0").data)
    return told - began, ended - told


def wait(api: PeopleApi, task: int) -> float:
    """Wait for a task's end; returns the server's time of it. Raises RuntimeError unless it ended well."""
    after = 0
    while True:
        events = api.events(after, task=task, wait_s=10)
        after = events["next"]
        for event in events["items"]:
            if event["kind"] == "task" and event["state"] in ("finished", "subfinished", "failed", "cancelled"):
                if event["state"] != "finished":
                    raise RuntimeError(f"task {task} ended {event['state']}: {api.explain('tasks', str(task))['head']}")
                return float(event["at"])


def spawn_floor() -> float:
    """Seconds to start `date` by hand and to have its answer."""
    times = []
    for _ in range(REPEATS):
        began = time.time()
        told = subprocess.run(NOW, capture_output=True, check=True).stdout
        times.append(float(told) - began)
    return statistics.median(times)


def true_floor() -> float:
    """`true` processes a second, started by hand from two threads."""

    def some(count: int) -> None:
        for _ in range(count):
            os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)

    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(some, [TRUE_JOBS // 2] * 2))
    return TRUE_JOBS / (time.perf_counter() - began)


def true_jobs(api: PeopleApi) -> float:
    """Jobs a second: `true` jobs of one task through one pilot of two slots."""
    began = time.time()
    spec = TaskSpec(CommandPayload(["true"]), over=Numbers(f"0-{TRUE_JOBS - 1}"), needs=SMALL)
    return TRUE_JOBS / (wait(api, api.submit(spec)["id"]) - began)


def measure(system: System, api: PeopleApi) -> list[dict[str, Any]]:
    """All figures, one after the other: nothing else should run on the machine."""
    rows: list[dict[str, Any]] = []

    def row(name: str, value: float, unit: str, floor: float | None = None, **more: Any) -> None:
        rows.append(
            {
                "name": name,
                "value": round(value, 4),
                "unit": unit,
                "floor": None if floor is None else round(floor, 5),
                "ratio": None if not floor else round(value / floor, 2),
                **more,
            }
        )
        print(json.dumps(rows[-1]), flush=True)

    spawn = spawn_floor()
    fresh = [run_one(api)[0]]
    row("submit_to_running_fresh", fresh[0], "s", spawn, repeats=len(fresh))
    run_one(api)
    warm = [run_one(api) for _ in range(REPEATS)]
    to_running, to_report = sorted(one[0] for one in warm), sorted(one[1] * 1000 for one in warm)
    row("submit_to_running_warm", statistics.median(to_running), "s", spawn, worst=round(to_running[-1], 4))
    row("end_to_report", statistics.median(to_report), "ms", None, worst=round(to_report[-1], 2))
    row("spine_true", statistics.median([true_jobs(api) for _ in range(3)]), "jobs/s", true_floor())
    server = system.server()
    until(lambda: not [one for one in api.jobs(limit=10) if one["ended_at"] is None])
    used = server.cpu_times()
    time.sleep(IDLE_S)
    now = server.cpu_times()
    row("server_idle_cpu", (now.user + now.system - used.user - used.system) / IDLE_S, "cores")
    row("server_rss", server.memory_info().rss / 2**20, "MiB")
    return rows


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    while not condition():
        time.sleep(0.1)


def main() -> None:
    """Run the benchmark and write its results."""
    parser = argparse.ArgumentParser(description="Measure the spine.")
    parser.add_argument("--data-dir", type=Path, help="where the system is made; left out: a temporary directory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="barnstorm-bench-") as folder:
        system = System(options.data_dir or Path(folder) / "data")
        with system as api:
            rows = measure(system, api)
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "durable": "sqlite wal synchronous=FULL"}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([{**row, **about} for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
