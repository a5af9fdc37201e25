"""The demo: a confidence limit from toys, from nothing to the result, on this machine.

    python3 demo.py [--toys N] [--seeds N] [--data-dir DIR] [--keep]

starts a server and a harvester, sends one task of toy jobs for each signal strength and a merge job that waits for all
of them, shows their progress, prints the limit beside the analytic expectation, and stops everything. The exit code is
0 only when every job finished and the limit agrees. `submit_scan` is the part to copy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from barnstorm.api.people import PeopleApi
from barnstorm.connect import connect
from barnstorm.contexts import load
from barnstorm.model.collection import FileIn, Seeds
from barnstorm.model.payload import CommandPayload
from barnstorm.model.shape import Needs
from barnstorm.model.task import FileOut, TaskSpec

sys.path.insert(0, str(Path(__file__).parent))
from merge import format_table
from model import MU_GRID

HERE = Path(__file__).parent
ENDED_WELL = "finished"
console = Console()


def submit_scan(api: PeopleApi, seeds: int, toys: int) -> tuple[list[int], int]:
    """One task of `seeds` toy jobs for each signal strength, and a merge task after them; returns their ids."""
    files = {name: upload(api, HERE / name) for name in ("model.py", "toy.py", "merge.py")}
    labels = {"campaign": "toy-limits"}
    scan = []
    for mu in MU_GRID:
        command = [
            "python3",
            "toy.py",
            "--mu",
            str(mu),
            "--seed",
            "{seed}",
            "--toys",
            str(toys),
            "--output",
            "toys.json",
        ]
        spec = TaskSpec(
            CommandPayload(command),
            name=f"toys mu={mu}",
            over=Seeds(seeds),
            needs=Needs(memory_mib=300, walltime_s=300, disk_mib=100),
            inputs=[files["model.py"], files["toy.py"]],
            outputs=[FileOut("toys.json")],
            labels=labels,
        )
        scan.append(api.submit(spec)["id"])
    merge = TaskSpec(
        CommandPayload(["python3", "merge.py", ".", "--output", "limit.json"]),
        name="merge",
        needs=Needs(memory_mib=500, walltime_s=600, disk_mib=500),
        inputs=[files["merge.py"], *(FileIn(f"task:{task}") for task in scan)],
        outputs=[FileOut("limit.json")],
        after=scan,
        labels=labels,
    )
    return scan, api.submit(merge)["id"]


def upload(api: PeopleApi, path: Path) -> FileIn:
    """Bring a file to the server; it travels once, whatever number of jobs needs it."""
    with path.open("rb") as file:
        digest, _ = api.connection.upload(file)
    return FileIn(f"blob:{digest}", path.name)


def follow(api: PeopleApi, tasks: list[int]) -> dict[int, dict[str, Any]]:
    """Show the tasks' progress until all have ended; returns their last views."""
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    after = api.events(-1, wait_s=0)["next"]  # before the first look, so that no change is missed between
    views = {task: api.task(task) for task in tasks}
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bars = {task: progress.add_task(view["name"], total=view["jobs"], now="") for task, view in views.items()}
        while True:
            for task, view in views.items():
                counts = view["counts"]
                done = sum(counts.get(state, 0) for state in ("finished", "failed", "cancelled", "closed"))
                running = sum(counts.get(state, 0) for state in ("sent", "starting", "running", "transferring"))
                now = view["state"] if view["ended_at"] else f"{running} running" if running else "waiting"
                progress.update(bars[task], completed=done, now=now)
            if all(view["ended_at"] for view in views.values()):
                return views
            events = api.events(after, wait_s=5)
            after = events["next"]
            changed = {event["task"] for event in events["items"]} & views.keys()
            views.update({task: api.task(task) for task in changed})
            time.sleep(0.1)  # a picture ten times a second is enough


def print_jobs(api: PeopleApi, views: dict[int, dict[str, Any]]) -> None:
    """The tasks with what their jobs used."""
    table = Table(
        "task", "name", "jobs", "finished", "failed", "peak memory", "CPU efficiency", box=None, header_style="bold"
    )
    for task, view in views.items():
        jobs = list(api.jobs(task))
        peak = max((job["peak_memory_mib"] or 0 for job in jobs), default=0)
        wall = sum(job["wall_s"] or 0 for job in jobs)
        cpu = sum(job["cpu_s"] or 0 for job in jobs)
        efficiency = f"{100 * cpu / wall:.0f} %" if wall else "-"
        finished = view["counts"].get("finished", 0)
        failed = str(view["jobs"] - finished) if view["jobs"] > finished else "-"
        table.add_row(str(task), view["name"], str(len(jobs)), str(finished), failed, f"{peak} MiB", efficiency)
    console.print(table)


def run(api: PeopleApi, options: argparse.Namespace) -> int:
    """Send the work, follow it, print the result; the exit code."""
    began = time.monotonic()
    scan, merge = submit_scan(api, options.seeds, options.toys)
    console.print(f"{len(scan)} tasks of {options.seeds} toy jobs, and task {merge} that merges them\n")
    views = follow(api, [*scan, merge])
    seconds = time.monotonic() - began
    console.print()
    print_jobs(api, views)
    console.print()
    failed = [task for task, view in views.items() if view["state"] != ENDED_WELL]
    if failed:
        for task in failed:
            console.print(api.explain("tasks", str(task))["head"], markup=False)
        return 1
    result = json.loads(b"".join(api.output(f"{merge}.0", "limit.json")))
    files = sum(point["files"] for point in result["points"])
    console.print(format_table(result), markup=False, highlight=False)
    (options.data_dir / "limit.json").write_text(json.dumps(result, indent=1))
    console.print(f"\n{len(scan) * options.seeds + 1} jobs in {seconds:.1f} s.")
    if files != len(scan) * options.seeds:
        console.print(f"the merge job saw {files} files of {len(scan) * options.seeds}")
        return 1
    look_further(options.data_dir, merge, scan[0])
    return 0 if result["agrees"] else 1


def look_further(data_dir: Path, merge: int, task: int) -> None:
    """Where things are, and what to type next."""
    console.print(f"Logs and outputs are in {data_dir}/logs and {data_dir}/blobs; the limit in {data_dir}/limit.json.")
    console.print("To look further, start it again (./dev shows how to call jobctl):\n", markup=False)
    context = "./dev jobctl --context demo"
    for line in (
        f"{context} up --detach --data-dir {data_dir}",
        f"{context} show {merge}.0",
        f"{context} logs {merge}.0",
        f"{context} explain {task}.0",
        f"{context} down --data-dir {data_dir}",
    ):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def jobctl(*words: str) -> None:
    """Call jobctl, as a person would."""
    subprocess.run([sys.executable, "-m", "barnstorm.jobctl", "--context", "demo", *words], check=True)


def main() -> int:
    """Start everything, run the demo, stop everything."""
    parser = argparse.ArgumentParser(description="A confidence limit from toy Monte Carlo, start to end.")
    parser.add_argument("--seeds", type=int, default=40, help="toy jobs for each signal strength (%(default)s)")
    parser.add_argument("--toys", type=int, default=2000, help="toys of each kind a job (%(default)s)")
    parser.add_argument("--data-dir", type=Path, default=Path(".demo"), help="where all of it is kept (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave it running at the end")
    options = parser.parse_args()
    options.data_dir = options.data_dir.absolute()
    jobctl("up", "--detach", "--data-dir", str(options.data_dir), "--port", "0")
    try:
        return run(PeopleApi(connect(load().named("demo"), patience_s=30)), options)
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    finally:
        if not options.keep:
            jobctl("down", "--data-dir", str(options.data_dir))


if __name__ == "__main__":
    sys.exit(main())
