"""Lists and screens: what a person reads, and what programs do."""

import json

import pytest

from .conftest import Run
from .fake import Fake, job_view, task_view

ATTEMPT = {
    "attempt": "1.0/1", "number": 1, "state": "failed", "exit_code": 3, "signal": None, "fault": "exit",
    "message": "exit 3",
    "queue": "local", "node": "n1", "worker": "w1", "pilot": "p1", "leased_at": 1.7e9, "started_at": 1.7e9,
    "ended_at": 1.7e9 + 12, "metrics": {"Max": {"pss": 20480}}, "stdout_bytes": 0, "stderr_bytes": 120,
}  # fmt: skip


@pytest.fixture
def full(fake: Fake) -> Fake:
    fake.tasks[1] = task_view(
        1, name="sim\x1b[31m", jobs=1000, counts={"activated": 10, "running": 2, "finished": 985, "failed": 3}
    )
    fake.tasks[2] = task_view(2, name="merge", state="finished", counts={"finished": 1}, ended_at=1.7e9 + 60)
    fake.jobs["1.0"] = job_view(
        1, 0, state="failed", word="failed", exit_code=3, fault="exit", message="exit 3", ended_at=1.7e9 + 13,
        started_at=1.7e9 + 1, peak_memory_mib=500, cpu_s=9.0, wall_s=12.0, values={"i": 7}, attempt_list=[ATTEMPT],
    )  # fmt: skip
    fake.jobs["1.1"] = job_view(1, 1)
    return fake


def test_tasks(jobctl: Run, full: Fake) -> None:
    lines = jobctl("ls").output.splitlines()
    assert lines[0].split() == ["TASK", "NAME", "STATE", "PROGRESS", "RUNNING", "FAILED", "AGE", "OWNER"]
    assert lines[1].split()[:4] == ["2", "merge", "finished", "1/1"]
    assert lines[2].startswith("   1  sim [31m  running   988/1,000        2       3")
    assert "\x1b" not in lines[2]
    assert jobctl("ls", "-o", "ids").output == "2\n1\n"
    assert [one["id"] for one in json.loads(jobctl("task", "ls", "--output", "json").output)] == [2, 1]
    assert jobctl("ls", "--limit", "1", "-o", "ids").output == "2\n"


def test_filters_go_to_the_server(jobctl: Run, full: Fake) -> None:
    jobctl("ls", "-l", "a=b", "-l", "c=d", "--user", "me", "--state", "live", "--name", "x")
    query = full.calls[-1][1]
    for part in ("label=a%3Db", "label=c%3Dd", "user=anna", "state=ready", "state=running", "name=x"):
        assert part in query
    assert "finished" not in query
    jobctl("job", "ls", "--state", "waiting", "--queue", "Q")
    assert "state=defined&state=activated&state=held" in full.calls[-1][1]
    jobctl("worker", "ls", "--state", "live", "--queue", "Q")
    assert "queue=Q&state=live" in full.calls[-1][1]


@pytest.mark.parametrize(
    "words", ["ls --state wating", "job ls --state done", "worker ls --state idle", "queue ls --state up"]
)
def test_no_such_state(jobctl: Run, fake: Fake, words: str) -> None:
    done = jobctl(*words.split())
    assert done.exit_code == 2
    assert "allowed:" in done.output
    assert fake.calls == []


def test_a_task(jobctl: Run, full: Fake) -> None:
    text = jobctl("show", "1").output
    assert "State     running · 988 of 1,000 jobs ended" in text
    assert "Jobs      10 waiting · 2 running · 985 finished · 3 failed" in text
    assert "Needs     1 core · 2,000 MiB · 1 h · 1,000 MiB disk" in text
    assert "more: jobctl job ls 1 --state failed   jobctl explain 1" in text


def test_a_job(jobctl: Run, full: Fake) -> None:
    text = jobctl("show", "1.0").output
    assert "FAILED" in text
    assert "Ended     exit 3: exit 3\n          → read its log: jobctl logs 1.0" in text
    assert "Used      memory 500 of 2,000 MiB (25 %) · CPU 9.0 s in 12 s on 1 core: 75 %" in text
    assert "Values    i=7" in text
    assert text.count("/1  failed  exit 3") == 1
    assert "20 MiB" in text
    assert "more: jobctl logs 1.0 --stderr   jobctl explain 1.0" in text
    assert jobctl("show", "1.0/1").exit_code == 0


def test_several_things(jobctl: Run, full: Fake) -> None:
    assert [one["id"] for one in json.loads(jobctl("show", "2", "1.1", "-o", "json").output)] == [2, "1.1"]
    assert json.loads(jobctl("job", "show", "1.1", "-o", "json").output)["id"] == "1.1"


def test_explain(jobctl: Run, fake: Fake) -> None:
    fake.explanations["1.0"] = {
        "id": "1.0", "state": "activated", "word": "waiting",
        "head": "WAITING 41 min: fits one queue, and that one is at its limit.",
        "needs": {"cores": 1, "memory_mib": 26000, "tags": ["cvmfs"]},
        "facts": [{"label": "Turn", "text": "96 jobs of the 312 are before this one."}],
        "queues": [{"queue": "FrDF", "fits": False, "text": "memory 26,000 > 16,384 MiB"},
                   {"queue": "SLAC_Rubin", "fits": True, "lane": "xhimem", "text": "40 of 40 workers"}],
        "advice": [{"text": "more workers", "command": "jobctl queue edit SLAC_Rubin"}],
        "history": [{"at": None, "text": "accepted"}, {"at": None, "text": "attempt 1"}],
    }  # fmt: skip
    fake.jobs["1.0"] = job_view(1, 0)
    assert jobctl("explain", "1.0").output == (
        "1.0\n"
        "WAITING 41 min: fits one queue, and that one is at its limit.\n"
        "\n"
        "Needs     1 core · 26,000 MiB · 1 h · 1,000 MiB disk · tags cvmfs\n"
        "Turn      96 jobs of the 312 are before this one.\n"
        "\n"
        "Queues    1 of 2 fits\n"
        "  SLAC_Rubin  FITS  lane xhimem: 40 of 40 workers\n"
        "  FrDF        no    memory 26,000 > 16,384 MiB\n"
        "\n"
        "What would change it\n"
        "  more workers   jobctl queue edit SLAC_Rubin\n"
        "\n"
        "History   accepted · attempt 1\n"
    )


def test_other_nouns(jobctl: Run, fake: Fake) -> None:
    shape = {"cores": 2, "memory_mib": 4000}
    fake.things["workers"] = [{"id": "w1", "state": "failed", "queue": "Q", "shape": shape, "unknown": True,
                               "log_tail": "one\ntwo\n", "created_at": 1.7e9, "exit_code": 1}]  # fmt: skip
    fake.things["pilots"] = [{"id": "p1", "state": "idle", "queue": "Q", "shape": shape, "facts": {"python": "3.11"}}]
    fake.things["harvesters"] = [{"id": "h", "name": "h", "submitters": ["local"], "seen_at": 1.7e9}]
    fake.things["tokens"] = [
        {"jti": "4f2a", "kind": "user", "subject": "anna", "expires_at": 2e10, "issued_at": 1.0},
        {"jti": "5a", "kind": "join", "subject": "w1", "expires_at": 2e10, "issued_at": 2.0},
        {"jti": "6b", "kind": "user", "subject": "bob", "expires_at": 2.0, "issued_at": 3.0},
    ]
    assert "failed ?" in jobctl("worker", "ls").output
    text = jobctl("worker", "show", "w1").output
    assert "shape      2 cores · 4,000 MiB · 1 h · 1,000 MiB disk" in text
    assert text.endswith("log tail:\n  one\n  two\n")
    assert "facts python  3.11" in jobctl("show", "p1").output
    assert jobctl("harvester", "ls", "-o", "ids").output == "h\n"
    assert "subject  anna" in jobctl("token", "show", "4f").output
    assert jobctl("token", "ls", "-o", "ids").output == "4f2a\n"
    assert jobctl("token", "ls", "--all", "-o", "ids").output == "6b\n4f2a\n"
    assert jobctl("token", "ls", "--kind", "join", "-o", "ids").output == "5a\n"
    assert jobctl("token", "ls", "--user", "bob", "--all", "-o", "ids").output == "6b\n"
    assert jobctl("worker", "show", "w2").exit_code == 3
    assert jobctl("worker", "show", "88").exit_code == 2
    assert jobctl("token", "show", "zz").exit_code == 3
