"""Queue files: what is refused and in which words, what they extend, and the schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from barnstorm.jsonfile import BadFile
from barnstorm.queuefile import load_queue, load_queues, queue_files, schema

ROOT = Path(__file__).resolve().parents[3]

SLURM_BASE = {"submitter": {"type": "slurm", "poll_s": 30, "options": {"a": 1, "b": 2}}, "limits": {"workers": 10}}

# The two queues of the design, as sites would write them.
SLAC = """{
  "$schema": "../queue.schema.json",
  "name": "SLAC_Rubin", "site": "SLAC", "extends": "base-slurm", "harvester": "usdf-edge",
  "contact": "s3df-ops@example.org",
  "note": "Partitions by memory; extra_himem has 4 nodes.",
  "accepts": {"cores": {"max": 64}, "memory_mib": {"max": 225280}, "walltime_s": {"max": 172800},
              "disk_mib": {"max": 200000},
              "arch": ["x86_64"], "tags": ["cvmfs", "butler-usdf"], "groups": ["rubin"]},
  "limits": {"workers": 2000, "waiting_workers": 100, "new_workers_per_min": 300, "cores": 12000},
  "worker": {"cores": 8, "memory_mib": 32768, "walltime_s": 43200, "idle_s": 300, "drain_s": 600},
  "lanes": [
    {"name": "small",  "if": {"memory_mib": {"max": 8192}},  "submitter": {"partition": "rubin"}},
    {"name": "himem",  "if": {"memory_mib": {"max": 18432}}, "submitter": {"partition": "rubin_himem"}, "worker": "job",
     "limits": {"workers": 300}},
    {"name": "xhimem", "submitter": {"partition": "rubin_extra_himem"}, "worker": "job", "mode": "push",
     "limits": {"workers": 40}}
  ],
  "submitter": {"type": "slurm", "account": "rubin:production", "qos": "normal",
                "extra_lines": ["#SBATCH --no-requeue"],
                "poll_s": 60, "gather_s": 2, "files_dir": "/sdf/scratch/barnstorm"},
  "pilot": {"version": "1.4", "canary": {"1.5rc1": 5}, "setup": ["module load python/3.11"], "work_dir": "$LSCRATCH",
            "server_url": "https://barnstorm.example.org", "container": {"runtime": "apptainer", "bind": ["/sdf/data"]},
            "checks": [{"name": "butler", "run": "test -r /sdf/data/rubin/repo", "expect_rc": 0}],
            "log_sinks": ["gcl-rubin"]},
  "price": {"core_hour": 0.012}
}"""
LANCS = """{
  "$schema": "../queue.schema.json",
  "name": "LANCS", "site": "UKDF", "extends": "base-htcondor", "harvester": "regional",
  "accepts": {"cores": {"max": 8}, "memory_mib": {"max": 32768}, "walltime_s": {"max": 86400},
              "gpus": {"max": 1, "model": ["A100"]}, "tags": ["cvmfs"]},
  "limits": {"workers": 1500, "waiting_workers": 150}, "worker": "job",
  "submitter": {"type": "htcondor", "ce": ["ce1.example.org:9619", "ce2.example.org:9619"],
                "schedds": ["schedd1.example.org"],
                "token": "secret:lancs-scitoken", "accounting_group": "group_rubin.prod",
                "requirements": "OpSysMajorVer >= 9",
                "attributes": {"ProjectName": "Rubin"}, "remove_held_after_s": 3600, "poll_s": 30},
  "pilot": {"work_dir": "$_CONDOR_SCRATCH_DIR", "outbound": "proxy", "proxy": "http://squid.example.org:3128"}
}"""


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / f"{name}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(BadFile) as caught:
        load_queue(path)
    return [str(one).replace(f"{path.parent}/", "") for one in caught.value.problems]


def test_the_queues_of_the_design_are_good(tmp_path: Path) -> None:
    write(tmp_path, "base-slurm", SLURM_BASE)
    write(tmp_path, "base-htcondor", {"submitter": {"type": "htcondor"}})
    good, bad = load_queues([write(tmp_path, "SLAC_Rubin", SLAC), write(tmp_path, "LANCS", LANCS)])
    assert [str(one) for one in bad] == []
    assert [one.config.name for one in good] == ["SLAC_Rubin", "LANCS"]
    assert good[0].config.lanes[1].limits.workers == 300
    assert good[0].config.worker.cores == 8  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"acepts": {}}, "q.json:3: acepts: unknown field; did you mean 'accepts'?"),
        ({"accepts": {"cores": {"mx": 3}}}, "q.json:5: accepts.cores.mx: unknown field; did you mean 'max'?"),
        ({"limits": {"foo": 3}}, "q.json:4: limits.foo: unknown field (allowed workers, waiting_workers, "
                                 "new_workers_per_min, cores, note)"),
        ({"name": "a b"},
         'q.json:2: name: has a form that is not allowed (value "a b"; allowed letters, digits, _ . -, '
                          "beginning with a letter or digit, up to 100)"),
        ({"accepts": {"cores": {"max": -1}}}, "q.json:5: accepts.cores.max: must be at least 0 (value -1)"),
        ({"limits": {"workers": "8"}}, 'q.json:4: limits.workers: must be a whole number (value "8")'),
        ({"accepts": {"memory_mib": 8}}, "q.json:4: accepts.memory_mib: must be an object (value 8)"),
        ({"accepts": {"tags": "cvmfs"}}, 'q.json:4: accepts.tags: must be a list (value "cvmfs")'),
        ({"worker": "jobs"},
         'q.json:3: worker: is not one of those allowed (value "jobs"; allowed "job" or "node" or an object)'),
        ({"worker": {"coers": 3}}, "q.json:4: worker.coers: unknown field; did you mean 'cores'?"),
        ({"lanes": [{"mode": "pull"}]}, "q.json:4: lanes[0].name: is missing"),
        ({"lanes": [{"name": "a", "mode": "pul"}]},
         'q.json:6: lanes[0].mode: is not one of those allowed (value "pul"; allowed "pull" or "push")'),
        ({"lanes": [{"name": "a", "if": {"memory": {}}}]},
         'q.json:6: lanes[0].if: is no dimension of a shape (value "memory"; '
         "allowed cores, memory_mib, walltime_s, disk_mib, gpus)"),
        ({"lanes": [{"name": "a"}, {"name": "b"}]},
         'q.json:4: lanes[0]: takes every shape, so the lanes after it are never used (value "a")'),
        ({"submitter": {}}, "q.json:3: submitter.type: names the submitter plugin, such as local or slurm"),
        ({"accepts": {"cores": {"min": 4, "max": 2}}},
         'q.json:4: accepts.cores: min is above max (value {"min": 4, "max": 2})'),
        ({"pilot": {"canary": {"1": 60, "2": 60}}},
         'q.json:4: pilot.canary: the percentages add up to more than 100 (value {"1": 60, "2": 60})'),
        ({"price": {"core_hour": "x"}}, 'q.json:4: price.core_hour: must be a number (value "x")'),
    ],
)  # fmt: skip
def test_what_is_said_of_a_wrong_field(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    assert problems(write(tmp_path, "q", {"name": "q", **fields})) == [said]


def test_all_problems_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "q", '{"nme": "q",\n "limits": {"workers": -1,\n "workers": -2}}')
    assert problems(path) == [
        "q.json:1: name: is missing",
        "q.json:1: nme: unknown field; did you mean 'name'?",
        "q.json:3: limits.workers: stands twice in this object; first on line 2",
        "q.json:3: limits.workers: must be at least 0 (value -2)",
    ]


@pytest.mark.parametrize("text", ["[]", "3", '"a"'])
def test_no_object(tmp_path: Path, text: str) -> None:
    assert problems(write(tmp_path, "q", text)) == ["q.json:1: a queue file holds one JSON object"]


def test_extends_merges_objects_and_replaces_lists(tmp_path: Path) -> None:
    base = {**SLURM_BASE, "note": "of the base", "lanes": [{"name": "base"}], "accepts": {"tags": ["a", "b"]}}
    write(tmp_path, "base-slurm", base)
    mine = {
        "name": "q",
        "extends": "base-slurm",
        "submitter": {"poll_s": 60, "options": {"b": 3}},
        "accepts": {"tags": ["c"]},
    }
    queue = load_queue(write(tmp_path, "q", mine))
    assert queue.document["submitter"] == {"type": "slurm", "poll_s": 60, "options": {"a": 1, "b": 3}}
    assert queue.document["accepts"] == {"tags": ["c"]}
    assert queue.config.note == ""
    assert queue.config.lanes[0].name == "base"
    assert queue.origins["submitter", "type"] == (str(tmp_path / "base-slurm.json"), 3)
    assert queue.origins["submitter", "poll_s"] == (str(tmp_path / "q.json"), 5)
    assert ("accepts", "tags", 1) not in queue.origins


def test_a_problem_is_told_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path, "base-slurm", {"limits": {"workers": -1}, "submitter": {"type": "slurm"}})
    assert problems(write(tmp_path, "q", {"name": "q", "extends": "base-slurm", "limits": {"cores": "x"}})) == [
        "base-slurm.json:3: limits.workers: must be at least 0 (value -1)",
        'q.json:5: limits.cores: must be a whole number (value "x")',
    ]


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("nothing", 'q.json:3: extends: there is no file {}/nothing.json (value "nothing"; allowed base-a, base-b)'),
        ("../base-a", 'q.json:3: extends: names a file beside this one, without its folder (value "../base-a")'),
        (
            "base-b",
            'q.json:3: extends: base-b.json extends another file itself; only one level is allowed (value "base-b")',
        ),
    ],
)
def test_what_cannot_be_extended(tmp_path: Path, extends: str, said: str) -> None:
    write(tmp_path, "base-a", {})
    write(tmp_path, "base-b", {"extends": "base-a"})
    path = write(tmp_path, "q", {"name": "q", "extends": extends})
    with pytest.raises(BadFile) as caught:
        load_queue(path)
    assert str(caught.value) == f"{tmp_path}/{said.format(tmp_path)}"


def test_good_files_do_not_suffer_from_bad_ones(tmp_path: Path) -> None:
    write(tmp_path, "base-x", {})
    paths = [
        write(tmp_path, "a", {"name": "a"}),
        write(tmp_path, "b", "{"),
        write(tmp_path, "c", {"name": "a"}),
        tmp_path / "absent.json",
    ]
    good, bad = load_queues([*paths, tmp_path / "base-x.json"])
    assert [one.config.name for one in good] == ["a"]
    assert [one.message.partition(":")[0] for one in bad] == [
        "the file ends too early",
        f"is the queue of {paths[0]} too",
        "cannot be read",
    ]
    assert queue_files(tmp_path) == paths[:3]


def test_the_examples_are_good() -> None:
    good, bad = load_queues(queue_files(ROOT / "etc" / "queues"))
    assert [str(one) for one in bad] == []
    assert "local" in [one.config.name for one in good]


def test_the_manual_shows_the_example_as_it_is() -> None:
    manual = (ROOT / "docs" / "operator" / "queues.md").read_text()
    assert (ROOT / "etc" / "queues" / "local.json").read_text() in manual


def test_the_schema_is_fresh() -> None:
    """`jobctl queue schema --out etc/queue.schema.json` writes it."""
    assert json.loads((ROOT / "etc" / "queue.schema.json").read_text()) == json.loads(json.dumps(schema()))
