"""What a harvester and the server say to each other: demand, decisions, workers."""

from dataclasses import dataclass
from typing import Any, Literal, Optional

from .base import Spec, field
from .marks import Mark
from .queue import QueueConfig
from .shape import Shape


@dataclass
class DemandPart(Spec):
    """Waiting work of one shape and lane. Counts are jobs; gross: workers on their way are not yet subtracted."""

    lane: str
    shape: Shape
    jobs: int
    why: str = ""
    priority: int = 0
    named: bool = field(False, doc="these jobs name the queue themselves")


@dataclass
class Room(Spec):
    """Live pilots of a queue that ask for work now, by what they have free. They will take waiting jobs by
    themselves.
    """

    lane: str
    free: Shape
    pilots: int = 1


@dataclass
class Demand(Spec):
    """GET /v1/queues/{q}/demand: what the waiting work needs. Long-polled by its `version`."""

    queue: str
    version: int
    parts: list[DemandPart] = field(factory=list)
    room: list[Room] = field(factory=list)
    status: str = "online"
    config_version: int = 0


@dataclass
class Decision(Spec):
    """How many workers, and why: kept by the server for `jobctl queue show` and `explain`."""

    lane: str = field(max_length=100)
    change: int = field(ge=-(10**9), le=10**9, doc="workers added (or, below 0, drained)")
    why: str = field("", max_length=500)
    at: float = field(0.0, unit="s", doc="epoch seconds; set by the server")
    counts: dict[str, int] = field(factory=dict, doc="waiting, submitted, running, … as seen when deciding")


@dataclass
class HarvesterHello(Spec):
    """POST /v1/harvesters/{name}/heartbeat, each few seconds."""

    version: str = field("", max_length=50)
    host: str = field("", max_length=255)
    pid: int = 0
    submitters: list[str] = field(factory=list, doc="the submitter plugins it has")
    decisions: dict[str, list[Decision]] = field(factory=dict, doc="new decisions by queue")
    batch: dict[str, dict[str, Any]] = field(
        factory=dict, doc="by queue: last poll, its time, last error, unknown workers"
    )
    stopping: bool = False


@dataclass
class ServedQueue(Spec):
    """A queue this harvester serves now: nobody else submits for it until the lease ends."""

    name: str
    config: QueueConfig
    config_version: int
    status: str = "online"
    marks: list[Mark] = field(factory=list)


@dataclass
class HarvesterOrders(Spec):
    """The answer: the queues to serve, and workers to end."""

    queues: list[ServedQueue] = field(factory=list)
    kill: list[str] = field(factory=list, doc="worker ids a person wants ended")
    every_s: float = field(5.0, unit="s", doc="call again after this long")


@dataclass
class WorkerPlan(Spec):
    """One worker to be submitted. `key` is the harvester's own; a repeat gets the first answer."""

    key: str = field(min_length=1, max_length=100)
    lane: str = field(max_length=100)
    shape: Shape = field()
    why: str = field("", max_length=500)


@dataclass
class WorkersPlanned(Spec):
    """POST /v1/queues/{q}/workers: plans workers before they are submitted, so that none is ever unknown."""

    harvester: str
    workers: list[WorkerPlan] = field(factory=list)


@dataclass
class PlannedWorker(Spec):
    """The answer for one plan: the worker's id and the join token its pilot begins with."""

    key: str
    worker: str
    join_token: str


WorkerState = Literal["planned", "submitted", "running", "finished", "failed", "cancelled", "lost"]


@dataclass
class WorkerReport(Spec):
    """A worker's state as the batch system tells it. A state never goes back: a stale report changes nothing."""

    worker: str = field(max_length=30)
    state: WorkerState = field()
    batch_id: str = field("", max_length=200)
    node: str = field("", max_length=255)
    exit_code: Optional[int] = field(None, ge=-(2**31), le=2**31 - 1)
    unknown: bool = field(False, doc="the batch system gave no answer; the state is the last one known")
    message: str = field("", max_length=1000)
    started_ago_s: Optional[float] = field(None, unit="s")
    ended_ago_s: Optional[float] = field(None, unit="s")
    log_tail: str = field("", max_length=65536, doc="the end of the worker's own output, when it ended")


@dataclass
class WorkerReports(Spec):
    """POST /v1/harvesters/{name}/workers: many reports at once; the answer has a word for each."""

    workers: list[WorkerReport] = field(factory=list)
