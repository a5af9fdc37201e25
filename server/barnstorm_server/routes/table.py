"""All calls of the protocol in one table: method, path, handler. Policies, OpenAPI and the tests walk it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from barnstorm.model.marks import Mark
from barnstorm.model.pilots import Heartbeat, HeartbeatAnswer, LeaseAnswer, LeaseRequest, PilotHello, PilotWelcome
from barnstorm.model.queue import QueueConfig
from barnstorm.model.workers import Demand, HarvesterHello, HarvesterOrders, WorkerReports, WorkersPlanned

from . import blobs, events, explain, harvesters, jobs, pilots, queues, tasks, tokens
from .http import Ask

Handler = Callable[[Ask], Awaitable[Response]]


@dataclass(frozen=True)
class Call:
    """One call. `takes` and `gives` are the messages of its body and answer; `query` its query parameters."""

    method: str
    path: str
    handler: Handler
    group: str
    takes: Any = None
    gives: Any = None
    status: int = 200
    query: tuple[str, ...] = ()


_PAGE = ("cursor", "limit")

CALLS = (
    Call("GET", "/v1", events.about, "server"),
    Call("GET", "/healthz", events.health, "server"),
    Call("GET", "/v1/whoami", tokens.whoami, "tokens"),
    Call("POST", "/v1/tasks", tasks.submit, "tasks", tasks.NewTask, status=201),
    Call("GET", "/v1/tasks", tasks.ls, "tasks", query=("state", "user", "name", "label", *_PAGE)),
    Call("GET", "/v1/tasks/{task}", tasks.show, "tasks"),
    Call("GET", "/v1/tasks/{task}/jobs", jobs.of_task, "tasks", query=("state", "queue", *_PAGE)),
    Call("GET", "/v1/tasks/{task}/explain", explain.task, "tasks"),
    Call("GET", "/v1/tasks/{task}/outputs", jobs.outputs, "tasks", query=("name", "job", "attempt", *_PAGE)),
    Call("POST", "/v1/tasks/{task}/retry", tasks.retry, "tasks", tasks.Retry, status=201),
    Call("GET", "/v1/jobs", jobs.ls, "jobs", query=("state", "queue", "user", *_PAGE)),
    Call("GET", "/v1/jobs/{job}", jobs.show, "jobs"),
    Call("GET", "/v1/jobs/{job}/explain", explain.job, "jobs"),
    Call("GET", "/v1/jobs/{job}/log", jobs.log, "jobs", query=("stream", "attempt", "offset", "wait_s", "limit")),
    Call("GET", "/v1/jobs/{job}/outputs/{name:path}", jobs.get_output, "jobs"),
    Call("POST", "/v1/kill", tasks.kill, "jobs", tasks.Kill),
    Call("GET", "/v1/events", events.ls, "events", query=("after", "task", "wait_s", "limit")),
    Call("PUT", "/v1/blobs/{digest}", blobs.put, "blobs", status=201, query=("attempt",)),
    Call("HEAD", "/v1/blobs/{digest}", blobs.head, "blobs", query=("attempt",)),
    Call("GET", "/v1/blobs/{digest}", blobs.get, "blobs", query=("attempt",)),
    Call("GET", "/v1/queue.schema.json", queues.schema, "queues"),
    Call("GET", "/v1/queues", queues.ls, "queues", query=_PAGE),
    Call("GET", "/v1/queues/{queue}", queues.show, "queues"),
    Call("PUT", "/v1/queues/{queue}", queues.put, "queues", QueueConfig),
    Call("GET", "/v1/queues/{queue}/explain", explain.queue, "queues"),
    Call("GET", "/v1/queues/{queue}/decisions", queues.history, "queues", query=("limit",)),
    Call("POST", "/v1/queues/{queue}/marks", queues.mark, "queues", queues.NewMark, Mark, 201),
    Call("DELETE", "/v1/queues/{queue}/marks/{mark}", queues.unmark, "queues", status=204),
    Call("GET", "/v1/tokens", tokens.ls, "tokens", query=_PAGE),
    Call("POST", "/v1/tokens", tokens.issue, "tokens", tokens.Wanted, status=201),
    Call("DELETE", "/v1/tokens/{jti}", tokens.revoke, "tokens", status=204),
    Call("GET", "/v1/workers", harvesters.ls_workers, "workers", query=("queue", "state", "harvester", *_PAGE)),
    Call("GET", "/v1/workers/{worker}", harvesters.show_worker, "workers"),
    Call("POST", "/v1/workers/{worker}/kill", harvesters.kill_worker, "workers"),
    Call("GET", "/v1/pilots", pilots.ls, "pilots", query=("queue", "state", *_PAGE)),
    Call("GET", "/v1/pilots/{pilot}", pilots.show, "pilots"),
    Call("GET", "/v1/harvesters", harvesters.ls, "harvesters", query=_PAGE),
    Call("GET", "/v1/harvesters/{name}", harvesters.show, "harvesters"),
    Call(
        "POST", "/v1/harvesters/{name}/heartbeat", harvesters.heartbeat, "harvesters", HarvesterHello, HarvesterOrders
    ),
    Call("POST", "/v1/harvesters/{name}/workers", harvesters.report, "harvesters", WorkerReports),
    Call("GET", "/v1/harvesters/{name}/workers", harvesters.own_workers, "harvesters", query=("state", *_PAGE)),
    Call(
        "GET", "/v1/queues/{queue}/demand", harvesters.demand, "harvesters", gives=Demand, query=("version", "wait_s")
    ),
    Call("POST", "/v1/queues/{queue}/workers", harvesters.plan, "harvesters", WorkersPlanned, status=201),
    Call("POST", "/v1/pilots", pilots.hello, "pilots", PilotHello, PilotWelcome, 201),
    Call("POST", "/v1/pilots/{pilot}/lease", pilots.lease, "pilots", LeaseRequest, LeaseAnswer),
    Call("POST", "/v1/pilots/{pilot}/heartbeat", pilots.heartbeat, "pilots", Heartbeat, HeartbeatAnswer),
    Call("PUT", "/v1/jobs/{job}/attempts/{number}/log/{stream}", jobs.put_log, "pilots", query=("offset",)),
)
