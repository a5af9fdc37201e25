"""`jobctl queue` and `jobctl token`."""

import json
from pathlib import Path

from .conftest import Run
from .fake import Fake


def folder_with(path: Path) -> Path:
    (path / "queues").mkdir()
    (path / "queues" / "base-x.json").write_text('{"submitter": {"type": "slurm"}}')
    (path / "queues" / "good.json").write_text('{"name": "good", "extends": "base-x"}')
    (path / "queues" / "bad.json").write_text('{\n "name": "bad",\n "wrker": "job"\n}')
    return path / "queues"


def test_lint(bare: Run, tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    done = bare("queue", "lint", folder)
    assert done.exit_code == 2
    assert done.output == (
        f"{folder}/bad.json:3: wrker: unknown field; did you mean 'worker'?\n3 checked, 1 with problems\n"
    )
    told = json.loads(bare("queue", "lint", folder, "-o", "json").stdout)
    assert [(one["line"], one["field"]) for one in told] == [(3, "wrker")]
    assert bare("queue", "lint", folder / "good.json").exit_code == 0


def test_apply_sends_the_good_ones(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    done = jobctl("queue", "apply", folder_with(tmp_path))
    assert done.exit_code == 2
    assert "good: config 1 is in force\n" in done.output
    assert list(fake.queues) == ["good"]
    assert fake.queues["good"]["config"]["submitter"] == {"type": "slurm"}


def test_what_the_server_refuses_has_a_line(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    error = {"code": "denied", "message": "is the operator's", "field": "submitter.type"}
    fake.answers["PUT", "/v1/queues/good"] = (403, {"error": error})
    done = jobctl("queue", "apply", folder / "good.json")
    assert done.exit_code == 4
    assert done.output == f"{folder}/base-x.json:1: submitter.type: is the operator's\n"


def test_marks(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    jobctl("queue", "apply", folder_with(tmp_path) / "good.json")
    done = jobctl("queue", "mark", "good", "brokeroff", "--why", "outage", "--until", "2h")
    assert done.exit_code == 0
    assert done.output.startswith("good: mark 7, brokeroff until ")
    assert '#7 brokeroff by anna: "outage"' in jobctl("queue", "show", "good").output
    assert jobctl("queue", "unmark", "good").output == "good: online\n"
    assert fake.queues["good"]["marks"] == []
    assert jobctl("queue", "unmark", "good").output == "good has no marks\n"
    assert jobctl("queue", "mark", "good", "broken").exit_code == 2
    assert jobctl("queue", "mark", "good", "offline", "--until", "soon").exit_code == 2
    assert jobctl("queue", "show", "nope").exit_code == 3


def test_show_and_decisions(jobctl: Run, fake: Fake) -> None:
    fake.queues["Q"] = {
        "name": "Q", "site": "S", "status": "online", "marks": [], "version": 3, "updated_at": 1.7e9, "harvester": "h",
        "config": {"name": "Q", "submitter": {"type": "slurm"}, "worker": "job", "accepts": {"cores": {"max": 64}}},
        "jobs": {"waiting": 5, "leased": 1, "running": 2}, "workers": {"running": 2, "submitted": 1},
        "lanes": [{"lane": "small", "waiting": 5, "workers": {"running": 2, "submitted": 1},
                   "decision": {"change": 4, "why": "5 wait", "at": 1.7e9}}],
    }  # fmt: skip
    text = jobctl("queue", "show", "Q").output
    assert "Q   S · slurm · harvester h" in text
    assert "Jobs      5 waiting · 1 starting · 2 running" in text
    assert "+4: 5 wait" in text
    assert "Accepts   cores up to 64" in text
    assert "+2  4 wait" in jobctl("queue", "show", "Q", "--decisions").output
    assert jobctl("queue", "ls").output.splitlines()[1].split()[:5] == ["Q", "online", "S", "slurm", "5"]
    assert jobctl("queue", "ls", "--site", "T", "-o", "ids").output == ""


def test_schema(bare: Run) -> None:
    assert "lanes" in json.loads(bare("queue", "schema").output)["properties"]


def test_tokens(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    done = jobctl("token", "issue", "--subject", "bob", "--group", "rubin", "--ttl", "30d")
    assert done.stdout == "secret-text\n"
    assert "secret-text" not in done.stderr
    assert fake.bodies("POST", "/v1/tokens") == [
        {"kind": "user", "subject": "bob", "groups": ["rubin"], "ttl_s": 2592000}
    ]
    out = tmp_path / "t"
    done = jobctl("token", "issue", "--kind", "harvester", "--subject", "h", "--out", out)
    assert "secret-text" not in done.output
    assert (out.read_text(), out.stat().st_mode & 0o777) == ("secret-text\n", 0o600)
    assert jobctl("token", "revoke", "4f2a").output == "token 4f2a revoked\n"
    assert jobctl("worker", "kill", "w7", "--reason", "x").exit_code == 0
    assert fake.bodies("POST", "/v1/workers/w7/kill") == [{"reason": "x"}]
