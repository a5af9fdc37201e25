"""From what is typed to the task document that is sent."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run
from .fake import Fake, task_view


def sent(fake: Fake) -> dict[str, Any]:
    body: dict[str, Any] = fake.bodies("POST", "/v1/tasks")[-1]
    assert body["key"]
    spec: dict[str, Any] = body["spec"]
    return spec


def test_a_command(jobctl: Run, fake: Fake) -> None:
    done = jobctl("submit", "--", "echo", "--flag", "--", "hello")
    assert done.exit_code == 0, done.output
    assert done.output == "task 1: 1 job accepted\n"
    assert sent(fake) == {"payload": {"kind": "command", "argv": ["echo", "--flag", "--", "hello"]}}


def test_ids_and_json(jobctl: Run, fake: Fake) -> None:
    assert jobctl("submit", "-o", "ids", "--seeds", 1000, "--", "x", "{seed}").output == "1\n"
    assert json.loads(jobctl("submit", "--format", "json", "--", "x").output)["id"] == 2
    assert jobctl("submit", "--seeds", 1000, "--", "x", "{seed}").output == "task 3: 1,000 jobs accepted\n"


def test_everything(jobctl: Run, fake: Fake) -> None:
    words = (
        "--name n --label a=b -l c=d --campaign X --cores 4 --memory 4G --walltime 90m --disk 500M --gpus 1"
        " --arch aarch64 --tag cvmfs --tag a,b --queue Q1 --queue Q2,Q3 --site S --priority 7 --env K=V=W"
        " --output o.json --output p?"
        " --retries 2 --after 5 --after 6,7 --group g --array 1-9:2 --key k1 -- run {i}"
    )
    assert jobctl("submit", *words.split()).exit_code == 0
    assert fake.bodies("POST", "/v1/tasks")[-1]["key"] == "k1"
    assert sent(fake) == {
        "payload": {"kind": "command", "argv": ["run", "{i}"]},
        "over": {"kind": "numbers", "ranges": "1-9:2"},
        "name": "n", "priority": 7, "group": "g", "retries": 2,
        "needs": {"cores": 4, "memory_mib": 4096, "walltime_s": 5400, "disk_mib": 500, "gpus": 1, "arch": "aarch64",
                  "tags": ["cvmfs", "a", "b"]},
        "env": {"K": "V=W"},
        "labels": {"a": "b", "c": "d", "campaign": "X"},
        "outputs": [{"name": "o.json"}, {"name": "p", "optional": True}],
        "queues": ["Q1", "Q2", "Q3"], "sites": ["S"], "after": [5, 6, 7],
    }  # fmt: skip


def test_a_script_with_directives(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    script = tmp_path / "fit all.sh"
    text = "#!/bin/bash\n\n#JOB --cores 4 --memory 4G   # for the fit\n# a comment\n#JOB --label a=b\n"
    text += "echo $1\n#JOB --cores 9\n"
    script.write_text(text)
    assert jobctl("submit", "--cores", "2", "--label", "c=d", script, "--x", "--", "-y").exit_code == 0
    assert sent(fake) == {
        "payload": {"kind": "script", "text": text, "args": ["--x", "--", "-y"], "name": "fit_all.sh"},
        "name": "fit_all.sh",
        "needs": {"cores": 2, "memory_mib": 4096},
        "labels": {"a": "b", "c": "d"},
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [("#JOB --cors 3", ":1: No such option"), ("#JOB --cores 3 x", ":1: #JOB takes options only, not 'x'"),
     ("#JOB --name 'x", ":1: No closing quotation")],
)  # fmt: skip
def test_a_wrong_directive(jobctl: Run, tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "s.sh").write_text(line + "\n")
    done = jobctl("submit", tmp_path / "s.sh")
    assert done.exit_code == 2
    assert f"s.sh{said}" in done.output


def test_params_stay_texts(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes('\ufeffmass, name\r\n007,"a, b"\r\n\r\n1e3,true\r\n'.encode())
    assert jobctl("submit", "--params", tmp_path / "p.csv", "--", "x", "{mass}").exit_code == 0
    assert sent(fake)["over"] == {
        "kind": "rows",
        "columns": ["mass", "name"],
        "rows": [["007", "a, b"], ["1e3", "true"]],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\n1\n", "row 2 has 1 values for 2 columns"), ("a\n", "at least one row"), ("a,a\n1,2\n", "two columns"),
     ("Mass\n1\n", "over.columns: a column is a lower-case name")],
)  # fmt: skip
def test_wrong_params(jobctl: Run, fake: Fake, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    done = jobctl("submit", "--params", tmp_path / "p.csv", "--", "x")
    assert done.exit_code == 2
    assert said in done.output
    assert fake.calls == []


def test_files_and_inputs_are_uploaded_once(
    jobctl: Run, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.dat", "b.dat", "same.dat"):
        Path(name).write_text("same" if name == "same.dat" else name)
    Path("tool").write_text("#!/bin/sh\n")
    Path("tool").chmod(0o755)
    fake.blobs[hashlib.sha256(b"same").hexdigest()] = b"same"
    done = jobctl(
        "submit", "--files", "a.dat", "b.dat", "*me.dat", "--input", "tool", "--input", "a.dat:conf/x.dat",
        "--input", "site:/data/big:big.root", "--", "./tool", "{file}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    blob = {
        name: "blob:" + hashlib.sha256(Path(name).read_bytes()).hexdigest()
        for name in ("a.dat", "b.dat", "same.dat", "tool")
    }
    assert sent(fake)["over"]["files"] == [{"source": blob[n], "name": n} for n in ("a.dat", "b.dat", "same.dat")]
    assert sent(fake)["inputs"] == [
        {"source": blob["tool"], "name": "tool", "executable": True},
        {"source": blob["a.dat"], "name": "conf/x.dat"},
        {"source": "site:/data/big", "name": "big.root"},
    ]
    assert len([call for call in fake.calls if call[0] == "PUT"]) == 3


def test_outputs_of_a_task_that_goes_on_are_waited_for(jobctl: Run, fake: Fake) -> None:
    fake.tasks[1] = task_view(1)
    fake.tasks[2] = task_view(2, state="subfinished", ended_at=1.0)
    assert jobctl("submit", "--input", "task:1", "--input", "task:2/x.json", "--", "merge").exit_code == 0
    assert sent(fake)["after"] == [1]
    assert sent(fake)["inputs"] == [{"source": "task:1"}, {"source": "task:2/x.json"}]


def test_a_task_file_under_the_options(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    document = {"payload": {"kind": "command", "argv": ["x"]}, "name": "a", "needs": {"cores": 2}, "labels": {"a": "1"}}
    (tmp_path / "t.json").write_text(json.dumps(document))
    assert (
        jobctl("submit", "--task-file", tmp_path / "t.json", "--name", "b", "--memory", "1G", "-l", "b=2").exit_code
        == 0
    )
    assert sent(fake) == {
        **document,
        "name": "b",
        "needs": {"cores": 2, "memory_mib": 1024},
        "labels": {"a": "1", "b": "2"},
    }
    assert jobctl("submit", "--task-file", "-", stdin=json.dumps(document)).exit_code == 0
    assert sent(fake) == document


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n", ":2: the file ends too early: a bracket or a value is missing\n"),
        ("[]", ":1: a task file holds one JSON object\n"),
        ('{"name": "a",\n"name": "b"}', ":2: name: stands twice in this object; first on line 1\n"),
        ('{\n"nedes": {}}', ":2: nedes: unknown field; did you mean 'needs'?\n"),
        ('{\n"needs": {\n"cores": "4"}}', ':3: needs.cores: must be a whole number (value "4")\n'),
        ('{\n"inputs": [{"source": "http:x"}]}', ":2: inputs[0].source: has a form that is not allowed (value"),
        ('{\n"over": {"kind": "seeds", "count": 0}}', ":2: over.count: must be at least 1 (value 0)\n"),
        ('{\n"over": {"kind": "numbrs"}}', ":2: over.kind: is not one of those allowed"),
    ],
)
def test_a_wrong_task_file(jobctl: Run, fake: Fake, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.json").write_text(text)
    done = jobctl("submit", "--task-file", tmp_path / "t.json", "--", "true")
    assert done.exit_code == 2
    assert done.output.startswith(f"{tmp_path}/t.json{said}")
    assert fake.calls == []


def test_dry_run_sends_nothing(jobctl: Run, fake: Fake) -> None:
    done = jobctl("submit", "--dry-run", "--array", "0-9", "--", "x", "{i}")
    assert json.loads(done.output)["over"] == {"kind": "numbers", "ranges": "0-9"}
    assert fake.calls == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-- x {mass}", "error: payload.argv: unknown placeholder {mass}"),
        ("--array 9-0 -- x", "error: over.ranges: '9-0' is not a range id"),
        ("--env BARNSTORM_X=1 -- x", "error: env: names that begin with BARNSTORM_ are set by the pilot"),
        ("--output ../x -- x", "error: outputs[0].name: must be a relative path"),
        ("--label =x -- x", "Invalid value for '-l' / '--label'"),
        ("--memory 4X -- x", "'4X' is no size; write 2000 (MiB), 500M, 4G"),
        ("--walltime 01:30 -- x", "'01:30' is no time"),
        ("--array 0-9 --seeds 3 -- x", "one of --array, --params, --seeds and --files, not --array and --seeds"),
        ("--seed-base 3 -- x", "--seed-base goes with --seeds"),
        ("--after x -- x", "'x' is not a task id; one looks like 48213"),
        ("--input nothing -- x", "there is no file 'nothing'; for one already at the site write site:/path"),
        ("--input . -- x", ". is a directory; pack it first"),
        ("--files none*.x -- x", "--files: nothing matches 'none*.x'"),
        ("nothing.sh a", "there is no file 'nothing.sh'; for a command write: jobctl submit -- nothing.sh a"),
        ("", "nothing to run: write a command after --"),
        ("--", "there is no command after --"),
        ("--colour x -- x", "No such option"),
    ],
)
def test_what_is_refused_before_anything_is_sent(
    jobctl: Run, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = jobctl("submit", *words.split())
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert said in done.output
    assert fake.calls == []


def test_a_program_is_no_script(jobctl: Run, tmp_path: Path) -> None:
    (tmp_path / "prog").write_bytes(b"\x7fELF\0\xff")
    done = jobctl("submit", tmp_path / "prog")
    assert done.exit_code == 2
    assert "no text" in done.output
    assert "--input" in done.output


def test_what_the_server_refuses(jobctl: Run, fake: Fake) -> None:
    error = {"code": "invalid", "message": "you are not in group x", "field": "spec.group", "allowed": ["rubin"]}
    fake.answers["POST", "/v1/tasks"] = (422, {"error": error})
    done = jobctl("submit", "--group", "x", "--", "true")
    assert done.exit_code == 2
    assert done.output == "error: spec.group: you are not in group x\nallowed: rubin\n"
