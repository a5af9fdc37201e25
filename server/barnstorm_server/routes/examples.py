"""Examples of request bodies, shown in the OpenAPI document and sent by a test."""

from typing import Any

EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/tasks"): {
        "key": "5f0c9a",
        "spec": {
            "name": "toys",
            "payload": {"kind": "command", "argv": ["python3", "toy.py", "--seed", "{seed}"]},
            "over": {"kind": "seeds", "count": 100},
            "needs": {"cores": 1, "memory_mib": 1000, "walltime_s": 600},
            "labels": {"campaign": "limits"},
        },
    },
    ("POST", "/v1/kill"): {"ids": ["48213", "48214.7"], "reason": "wrong input"},
    ("POST", "/v1/tasks/{task}/retry"): {"key": "77ab", "jobs": "0-2,7"},
    ("PUT", "/v1/queues/{queue}"): {"name": "local", "submitter": {"type": "local"}, "accepts": {"cores": {"max": 8}}},
    ("POST", "/v1/queues/{queue}/marks"): {"key": "9d", "status": "draining", "why": "downtime on Tuesday"},
    ("POST", "/v1/tokens"): {"kind": "user", "subject": "ada", "groups": ["rubin"], "ttl_s": 86400},
    ("POST", "/v1/harvesters/{name}/heartbeat"): {"version": "0.1.0", "host": "edge1", "submitters": ["local"]},
    ("POST", "/v1/harvesters/{name}/workers"): {
        "workers": [{"worker": "w88123", "state": "running", "batch_id": "4711"}]
    },
    ("POST", "/v1/queues/{queue}/workers"): {
        "harvester": "edge",
        "workers": [{"key": "a1", "lane": "all", "shape": {"cores": 8, "memory_mib": 32768}, "why": "8 jobs wait"}],
    },
    ("POST", "/v1/pilots"): {"key": "n1-1", "queue": "local", "shape": {"cores": 2, "memory_mib": 4000}, "node": "n1"},
    ("POST", "/v1/pilots/{pilot}/lease"): {"free": {"cores": 2, "memory_mib": 4000}, "max": 2, "wait_s": 20},
    ("POST", "/v1/pilots/{pilot}/heartbeat"): {"state": "busy", "held": [{"attempt": "48213.7/1", "state": "running"}]},
}
