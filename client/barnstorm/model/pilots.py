"""What a pilot and the server say to each other. Times are ages in seconds: a pilot's clock is never trusted."""

from dataclasses import dataclass
from typing import Any, Literal, Optional

from .base import Spec, field
from .collection import FileIn
from .payload import Payload
from .queue import PilotSettings
from .shape import LONGEST_S, Shape
from .task import FileOut

MAX_INLINE_LOG = 64 * 1024


@dataclass
class CheckResult(Spec):
    """One check of a node. A failed one that is `required` keeps jobs away."""

    name: str = field(max_length=100)
    ok: bool = True
    said: str = field("", max_length=1000)
    required: bool = True
    took_ms: float = 0.0


@dataclass
class PilotHello(Spec):
    """POST /v1/pilots with a join token. A repeat with the same `key` gets the first answer's pilot again."""

    key: str = field(min_length=1, max_length=100, doc="made by the pilot, once")
    queue: str = field(max_length=100)
    shape: Shape = field()
    worker: str = field("", max_length=30, doc="worker id, such as w88123")
    kind: Literal["pull", "relay"] = "pull"
    node: str = field("", max_length=255)
    version: str = field("", max_length=50)
    facts: dict[str, Any] = field(factory=dict, doc="python, os, cpu model, cores, memory_mib, disk_mib, pid, …")
    checks: list[CheckResult] = field(factory=list)
    walltime_left_s: Optional[float] = field(None, le=LONGEST_S, unit="s", doc="until the batch system ends the worker")


@dataclass
class Clock(Spec):
    """How often to call, as the server wishes it; every lease and heartbeat answer may change it."""

    heartbeat_s: float = field(10.0, unit="s")
    lease_s: float = field(60.0, unit="s", doc="a pilot unheard for longer may lose its attempts")


@dataclass
class PilotWelcome(Spec):
    """The answer to a hello. `refused` says why a pilot gets no work; it then leaves."""

    pilot: str
    token: str
    clock: Clock
    settings: PilotSettings
    server_time: float = field(0.0, unit="s", doc="epoch seconds, for the clock check")
    idle_s: float = field(60.0, unit="s", doc="leave after this long without work")
    drain_s: float = field(0.0, unit="s", doc="take no job this long before walltime ends")
    refused: str = ""


@dataclass
class LogPiece(Spec):
    """The last bytes of a log, brought along with a report. `data` is base64."""

    stream: Literal["stdout", "stderr"]
    offset: int = field(ge=0, le=2**62)
    data: str = field("", max_length=2 * MAX_INLINE_LOG)


@dataclass
class OutputFile(Spec):
    """An output that was uploaded as a blob; it becomes visible with the report."""

    name: str = field(max_length=1024)
    blob: str = field(pattern=r"^[0-9a-f]{64}$", doc="sha256 of its bytes")
    size: int = field(0, ge=0, le=2**63 - 1, unit="bytes")


@dataclass
class Report(Spec):
    """How an attempt ended. Only the attempt that the server knows as live is changed by it."""

    attempt: str = field(max_length=50)
    state: Literal["succeeded", "failed", "cancelled", "returned"] = field()
    exit_code: Optional[int] = field(None, ge=-(2**31), le=2**31 - 1)
    signal: Optional[int] = field(None, ge=0, le=255)
    fault: str = field("", max_length=32, doc="a code of `faults.FAULTS`")
    message: str = field("", max_length=2000)
    started_ago_s: Optional[float] = field(None, ge=0, unit="s")
    ended_ago_s: Optional[float] = field(None, ge=0, unit="s")
    metrics: dict[str, Any] = field(factory=dict, doc="prmon's summary: {'Max': …, 'Avg': …}")
    outputs: list[OutputFile] = field(factory=list)
    logs: list[LogPiece] = field(factory=list)
    result: Optional[str] = field(None, max_length=24_000, doc="a small result, base64, up to 16 kB")


@dataclass
class ReportResult(Spec):
    """What became of one report: accepted, repeated (it was accepted before) or stale (it changed nothing; `why`)."""

    attempt: str
    status: Literal["accepted", "repeated", "stale"]
    why: str = ""


@dataclass
class LeaseRequest(Spec):
    """POST /v1/pilots/{p}/lease: reports, and room for more. With reports, or `max` 0, it never waits."""

    free: Shape
    max: int = field(1, ge=0, le=1000, doc="attempts to be granted at most")
    ahead: int = field(0, ge=0, le=1000, doc="attempts granted beyond `free`, to be begun when a running one ends")
    held: list[str] = field(factory=list, doc="all attempts the pilot holds; granted ones that are missing come again")
    reports: list[Report] = field(factory=list)
    wait_s: float = field(0.0, ge=0, le=60, unit="s")
    walltime_left_s: Optional[float] = field(None, unit="s")


@dataclass
class TaskBody(Spec):
    """What the jobs of a task share, sent once per answer."""

    task: int
    owner: str
    payload: Payload
    name: str = ""
    group: str = ""
    env: dict[str, str] = field(factory=dict)
    inputs: list[FileIn] = field(factory=list)
    outputs: list[FileOut] = field(factory=list)


@dataclass
class Grant(Spec):
    """A lease on one attempt. `values` fill the task's placeholders, beside {task}, {index} and {job}."""

    attempt: str
    needs: Shape
    values: dict[str, Any] = field(factory=dict)
    file: Optional[FileIn] = field(None, doc="this job's own input, of a collection of files")


Verb = Literal["kill", "stop", "drain", "exit"]


@dataclass
class Command(Spec):
    """What the server wants. `kill`: end the payload and report. `stop`: the attempt is not yours, end it, do not
    report.

    `drain`: take no new work. `exit`: leave when nothing runs.
    """

    verb: Verb
    attempt: str = ""
    why: str = ""


@dataclass
class LeaseAnswer(Spec):
    """Results come in the order of the reports; `tasks` has a body for each task of the grants, keyed by its id."""

    results: list[ReportResult] = field(factory=list)
    grants: list[Grant] = field(factory=list)
    tasks: dict[str, TaskBody] = field(factory=dict)
    commands: list[Command] = field(factory=list)
    clock: Clock = field(factory=Clock)


@dataclass
class HeldAttempt(Spec):
    """An attempt in a heartbeat: its state, and the latest sample of its process tree in prmon's metrics."""

    attempt: str = field(max_length=50)
    state: Literal["leased", "starting", "running", "transferring"] = "leased"
    started_ago_s: Optional[float] = field(None, ge=0, unit="s")
    sample: dict[str, float] = field(factory=dict)


@dataclass
class Heartbeat(Spec):
    """POST /v1/pilots/{p}/heartbeat. Names every attempt the pilot holds: one twice unnamed is ended as lost."""

    held: list[HeldAttempt] = field(factory=list)
    state: Literal["starting", "validating", "idle", "busy", "draining"] = "idle"
    leaving: bool = field(False, doc="the last call: the pilot is gone after it")
    why: str = field("", max_length=500, doc="why it leaves or drains")


@dataclass
class HeartbeatAnswer(Spec):
    """Commands for the pilot and its attempts."""

    commands: list[Command] = field(factory=list)
    clock: Clock = field(factory=Clock)
