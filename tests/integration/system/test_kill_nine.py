"""Whatever is killed, every accepted job ends exactly once."""

import random
from collections import Counter
from pathlib import Path

import psutil
import pytest
from tests.integration.system.conftest import System
from tests.waiting import wait_for

from barnstorm.api.errors import Unreachable
from barnstorm.model.collection import Numbers
from barnstorm.model.ids import spans

JOBS = 40
PARTS = ("barnstorm_server", "barnstorm_harvester", "barnstorm_pilot")


def kill_one(system: System, chance: random.Random) -> str:
    """kill -9 one process of a part chosen by chance; the part's name, or nothing where none runs."""
    part = chance.choice(PARTS)
    processes = system.processes(part)
    if not processes:
        return ""
    try:
        chance.choice(processes).kill()
    except psutil.NoSuchProcess:
        return ""
    return part


def ends_of(system: System, task: int) -> Counter[int]:
    """How often each job of a task was told to have ended."""
    ends: Counter[int] = Counter()
    after = 0
    while True:
        events = system.api.events(after, task=task, wait_s=0)
        for event in events["items"]:
            if event["kind"] == "job" and event["state"] in ("finished", "failed", "cancelled", "closed"):
                ends.update(index for span in spans(event["jobs"]) for index in span)
        if events["next"] == after:
            return ends
        after = events["next"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_every_job_ends_exactly_once_though_parts_are_killed_at_random(
    system: System, tmp_path: Path, seed: int
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    task = system.sh(f"mktemp {marks}/{{index}}.XXXXXX && sleep 0.3", over=Numbers(f"0-{JOBS - 1}"))
    chance, killed = random.Random(seed), Counter[str]()

    def progressed(least: int) -> bool:
        try:
            view = system.api.task(task)
        except Unreachable:
            return False
        return view["ended_at"] is not None or view["counts"].get("finished", 0) >= least

    for least in range(3, JOBS, 6):
        wait_for(lambda least=least: progressed(least), timeout_s=90)  # type: ignore[misc]
        killed[kill_one(system, chance)] += 1
    wait_for(lambda: progressed(JOBS), timeout_s=120)

    view = system.api.task(task)
    assert view["state"] == "finished", system.api.explain("tasks", str(task))
    assert ends_of(system, task) == Counter(range(JOBS)), killed
    for job in system.api.jobs(task):
        numbers = [one["number"] for one in system.api.job(job["id"])["attempt_list"]]
        assert numbers == list(range(1, len(numbers) + 1))
        succeeded = [one for one in system.api.job(job["id"])["attempt_list"] if one["state"] == "succeeded"]
        assert len(succeeded) == 1
    assert {int(mark.name.split(".")[0]) for mark in marks.iterdir()} == set(range(JOBS))


def test_a_system_that_was_stopped_goes_on_where_it_was(system: System) -> None:
    task = system.sh("sleep 0.2; echo done", over=Numbers("0-9"))
    wait_for(lambda: system.api.task(task)["counts"].get("finished", 0) >= 2, timeout_s=60)
    system.down()
    wait_for(lambda: not any(system.processes(part) for part in PARTS), timeout_s=30)
    system.up()
    wait_for(lambda: system.api.task(task)["ended_at"] is not None, timeout_s=60)
    assert system.api.task(task)["counts"] == {"finished": 10}
