"""Queue descriptions: the two of the design are read whole, and wrong ones are refused by their field."""

import copy
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from barnstorm.model.base import from_wire, to_wire
from barnstorm.model.marks import ORDER, Mark, effective, new_workers, pilots_stay, pilots_take
from barnstorm.model.queue import (
    Lane,
    QueueConfig,
    Range,
    WorkerSlot,
    check_queue,
    lane_for,
    lanes_of,
    worker_of,
)
from barnstorm.model.shape import Shape
from barnstorm.model.task import InvalidSpec

ADAPTER = TypeAdapter(QueueConfig)

SLAC: dict[str, Any] = {
    "$schema": "../queue.schema.json",
    "name": "SLAC_Rubin",
    "site": "SLAC",
    "extends": "base-slurm",
    "harvester": "usdf-edge",
    "contact": "s3df-ops@example.org",
    "note": "Partitions by memory; extra_himem has 4 nodes.",
    "accepts": {
        "cores": {"max": 64},
        "memory_mib": {"max": 225280},
        "walltime_s": {"max": 172800},
        "disk_mib": {"max": 200000},
        "arch": ["x86_64"],
        "tags": ["cvmfs", "butler-usdf"],
        "groups": ["rubin"],
    },
    "limits": {"workers": 2000, "waiting_workers": 100, "new_workers_per_min": 300, "cores": 12000},
    "worker": {"cores": 8, "memory_mib": 32768, "walltime_s": 43200, "idle_s": 300, "drain_s": 600},
    "lanes": [
        {"name": "small", "if": {"memory_mib": {"max": 8192}}, "submitter": {"partition": "rubin"}},
        {
            "name": "himem",
            "if": {"memory_mib": {"max": 18432}},
            "submitter": {"partition": "rubin_himem"},
            "worker": "job",
            "limits": {"workers": 300},
        },
        {
            "name": "xhimem",
            "submitter": {"partition": "rubin_extra_himem"},
            "worker": "job",
            "mode": "push",
            "limits": {"workers": 40},
        },
    ],
    "submitter": {
        "type": "slurm",
        "account": "rubin:production",
        "qos": "normal",
        "extra_lines": ["#SBATCH --no-requeue"],
        "poll_s": 60,
        "gather_s": 2,
        "files_dir": "/sdf/scratch/barnstorm",
    },
    "pilot": {
        "version": "1.4",
        "canary": {"1.5rc1": 5},
        "setup": ["module load python/3.11"],
        "work_dir": "$LSCRATCH",
        "server_url": "https://barnstorm.example.org",
        "container": {"runtime": "apptainer", "bind": ["/sdf/data"]},
        "checks": [{"name": "butler", "run": "test -r /sdf/data/rubin/repo", "expect_rc": 0}],
        "log_sinks": ["gcl-rubin"],
    },
    "price": {"core_hour": 0.012},
}
LANCS: dict[str, Any] = {
    "$schema": "../queue.schema.json",
    "name": "LANCS",
    "site": "UKDF",
    "extends": "base-htcondor",
    "harvester": "regional",
    "accepts": {
        "cores": {"max": 8},
        "memory_mib": {"max": 32768},
        "walltime_s": {"max": 86400},
        "gpus": {"max": 1, "model": ["A100"]},
        "tags": ["cvmfs"],
    },
    "limits": {"workers": 1500, "waiting_workers": 150},
    "worker": "job",
    "submitter": {
        "type": "htcondor",
        "ce": ["ce1.example.org:9619", "ce2.example.org:9619"],
        "schedds": ["schedd1.example.org"],
        "token": "secret:lancs-scitoken",
        "accounting_group": "group_rubin.prod",
        "requirements": "OpSysMajorVer >= 9",
        "attributes": {"ProjectName": "Rubin"},
        "remove_held_after_s": 3600,
        "poll_s": 30,
    },
    "pilot": {"work_dir": "$_CONDOR_SCRATCH_DIR", "outbound": "proxy", "proxy": "http://squid.example.org:3128"},
}


@pytest.mark.parametrize("document", [SLAC, LANCS], ids=lambda document: document["name"])
def test_the_designs_queues_are_accepted_and_come_back_as_they_were(document: dict[str, Any]) -> None:
    config = ADAPTER.validate_python(document)
    check_queue(config)
    assert from_wire(QueueConfig, document) == config
    again = to_wire(config)
    assert ADAPTER.validate_python(again) == config
    defaults = [("pilot", "container", "runtime"), ("pilot", "checks", 0, "expect_rc")]
    expected = without(document, defaults)
    assert again == expected


def without(document: Any, paths: list[tuple[Any, ...]]) -> Any:
    """A document without what is the default anyway."""
    found = copy.deepcopy(document)
    for path in paths:
        here = found
        try:
            for key in path[:-1]:
                here = here[key]
            del here[path[-1]]
        except (KeyError, IndexError):
            continue
    return found


def test_a_name_is_enough() -> None:
    config = ADAPTER.validate_python({"name": "q"})
    check_queue(config)
    assert (config.submitter, config.worker, lanes_of(config)) == ({"type": "local"}, WorkerSlot(), [Lane("all")])


def test_a_note_is_allowed_at_every_level() -> None:
    document = {
        "name": "q",
        "note": "n",
        "accepts": {"note": "n", "cores": {"max": 1, "note": "n"}, "gpus": {"max": 1, "note": "n"}},
        "limits": {"note": "n"},
        "worker": {"note": "n"},
        "lanes": [{"name": "l", "note": "n", "limits": {"note": "n"}, "if": {"cores": {"max": 1, "note": "n"}}}],
        "pilot": {"note": "n", "container": {"note": "n"}, "checks": [{"name": "c", "run": "true", "note": "n"}]},
    }
    check_queue(ADAPTER.validate_python(document))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"memory": 1}, "memory"),
        ({"accepts": {"memory": {"max": 1}}}, "accepts.memory"),
        ({"accepts": {"cores": {"maximum": 1}}}, "accepts.cores.maximum"),
        ({"accepts": {"cores": {"max": "many"}}}, "accepts.cores.max"),
        ({"accepts": {"cores": {"max": -1}}}, "accepts.cores.max"),
        ({"lanes": [{"name": "a", "partition": "x"}]}, "lanes.0.partition"),
        ({"lanes": [{"name": "a", "mode": "pusch"}]}, "lanes.0.mode"),
        ({"lanes": [{}]}, "lanes.0.name"),
        ({"name": "no spaces"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"pilot": {"isolation": "some"}}, "pilot.isolation"),
        ({"pilot": {"memory_grace": 0.5}}, "pilot.memory_grace"),
        ({"price": {"core_hour": "cheap"}}, "price.core_hour"),
        ({"limits": {"workers": -1}}, "limits.workers"),
        ({"status": "online"}, "status"),
    ],
)
def test_a_wrong_document_is_refused_where_it_is_wrong(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python({"name": "q", **change})
    assert where in {".".join(str(part) for part in error["loc"]) for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"submitter": {}}, "submitter.type"),
        ({"submitter": {"type": 3}}, "submitter.type"),
        ({"lanes": [{"name": "a", "if": {"cores": {"max": 1}}}, {"name": "a"}]}, "lanes[1].name"),
        ({"lanes": [{"name": "a", "if": {"colour": {"max": 1}}}]}, "lanes[0].if"),
        ({"lanes": [{"name": "a"}, {"name": "b"}]}, "lanes[0]"),
        ({"accepts": {"cores": {"min": 5, "max": 4}}}, "accepts.cores"),
        ({"accepts": {"gpus": {"min": 5, "max": 4}}}, "accepts.gpus"),
        ({"pilot": {"canary": {"a": 60, "b": 60}}}, "pilot.canary"),
    ],
)
def test_rules_over_several_fields_name_theirs(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        check_queue(ADAPTER.validate_python({"name": "q", **change}))
    assert caught.value.field == field


def test_the_first_lane_that_fits_wins() -> None:
    config = ADAPTER.validate_python(SLAC)
    lanes = {memory: lane_for(config, Shape(memory_mib=memory)) for memory in (100, 8192, 8193, 18_432, 18_433)}
    assert [lane.name for lane in lanes.values() if lane] == ["small", "small", "himem", "himem", "xhimem"]
    assert worker_of(config, config.lanes[0]) == config.worker
    assert worker_of(config, config.lanes[1]) == "job"


def test_no_lane_may_fit() -> None:
    config = QueueConfig("q", lanes=[Lane("s", when={"cores": Range(max=1)})])
    assert lane_for(config, Shape(cores=2)) is None
    assert config.lanes[0].refuses(Shape(cores=2)) == "cores 2 > 1"


class TestMarks:
    NOW = 1000.0

    def test_the_most_restrictive_mark_counts(self) -> None:
        marks = [Mark("brokeroff"), Mark("offline", "downtime"), Mark("draining")]
        assert effective(marks, self.NOW).why == "downtime"
        assert effective([], self.NOW).status == "online"

    def test_a_mark_ends_by_itself(self) -> None:
        marks = [Mark("offline", until=self.NOW), Mark("draining", until=self.NOW + 1)]
        assert effective(marks, self.NOW).status == "draining"
        assert effective(marks, self.NOW + 1).status == "online"

    @pytest.mark.parametrize(
        ("status", "workers", "stay"),
        [
            ("online", "all", True),
            ("brokeroff", "named", True),
            ("test", "test", True),
            ("draining", "none", False),
            ("paused", "none", True),
            ("offline", "none", False),
            ("retired", "none", False),
        ],
    )
    def test_the_designs_table_of_statuses(self, status: str, workers: str, stay: bool) -> None:
        assert (new_workers(status), pilots_take(status), pilots_stay(status)) == (workers, workers, stay)

    def test_every_status_has_its_place(self) -> None:
        assert len(ORDER) == len(set(ORDER)) == 7
