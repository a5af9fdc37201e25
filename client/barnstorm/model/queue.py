"""A queue: one JSON resource description. Its status is not here: that is its marks (`marks.py`).

The site admin owns `submitter` and `pilot`, the operator the rest (`OWNER_OF`). `extends` names one other file, one
level.
"""

from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

from .base import Spec, field
from .shape import DIMENSIONS, Shape
from .task import InvalidSpec

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
SITE_BLOCKS = ("submitter", "pilot")


@dataclass
class Range(Spec):
    """A closed range; a missing end is open."""

    min: Optional[int] = field(None, ge=0)
    max: Optional[int] = field(None, ge=0)
    note: str = ""

    def refuses(self, value: int) -> Optional[str]:
        """Why `value` is outside, or None."""
        if self.max is not None and value > self.max:
            return f"{value:,} > {self.max:,}"
        if self.min is not None and value < self.min:
            return f"{value:,} < {self.min:,}"
        return None


@dataclass
class GpuRange(Range):
    """GPUs a job may ask for, and the models there are."""

    model: list[str] = field(factory=list)


@dataclass
class Accepts(Spec):
    """Which jobs the queue takes. What is left out sets no bound, but a queue without `gpus` has none."""

    cores: Optional[Range] = None
    memory_mib: Optional[Range] = field(None, unit="MiB")
    walltime_s: Optional[Range] = field(None, unit="s")
    disk_mib: Optional[Range] = field(None, unit="MiB")
    gpus: Optional[GpuRange] = None
    arch: list[str] = field(factory=list, doc="processor architectures; empty: not said, any job fits")
    tags: list[str] = field(factory=list, doc="what the queue offers; a job's tags must all be here")
    groups: list[str] = field(factory=list, doc="whose jobs it takes; empty: everyone's")
    note: str = ""


@dataclass
class Limits(Spec):
    """Upper bounds on workers; what is left out sets none (the harvester's own defaults hold)."""

    workers: Optional[int] = field(None, ge=0, doc="workers that are submitted or running")
    waiting_workers: Optional[int] = field(None, ge=0, doc="workers that wait in the batch system")
    new_workers_per_min: Optional[int] = field(None, ge=0)
    cores: Optional[int] = field(None, ge=0, doc="cores of all submitted and running workers")
    note: str = ""


@dataclass
class WorkerSlot(Spec):
    """A worker's shape, shared by the jobs that fit, and how long it stays without work."""

    cores: int = field(1, ge=1)
    memory_mib: int = field(2000, ge=1, unit="MiB")
    walltime_s: int = field(3600, ge=1, unit="s")
    disk_mib: int = field(10_000, ge=0, unit="MiB")
    gpus: int = field(0, ge=0)
    idle_s: Optional[int] = field(None, ge=0, unit="s", doc="leaves after this long without work")
    drain_s: Optional[int] = field(None, ge=0, unit="s", doc="takes no new job this long before its walltime ends")
    note: str = ""

    def shape(self) -> Shape:
        return Shape(self.cores, self.memory_mib, self.walltime_s, self.disk_mib, self.gpus)


WorkerKind = Union[Literal["job", "node"], WorkerSlot]


@dataclass
class Lane(Spec):
    """A way through a queue: the first lane whose `if` fits a shape gives partition, limits, push or pull."""

    name: str = field(pattern=NAME)
    when: Optional[dict[str, Range]] = field(
        None, alias="if", doc="shape dimensions and their ranges; none: every shape"
    )
    submitter: dict[str, Any] = field(factory=dict, doc="settings laid over the queue's `submitter`")
    worker: Optional[WorkerKind] = None
    mode: Literal["pull", "push"] = "pull"
    limits: Limits = field(factory=Limits)
    note: str = ""

    def refuses(self, shape: Shape) -> Optional[str]:
        """Why a shape does not go through this lane, or None."""
        for name, bounds in (self.when or {}).items():
            why = bounds.refuses(getattr(shape, name))
            if why:
                return f"{name} {why}"
        return None


@dataclass
class Check(Spec):
    """A check of the queue's own, run by each pilot before it takes work."""

    name: str = field(pattern=NAME)
    run: str = field(max_length=10_000, doc="a command for /bin/sh")
    expect_rc: int = 0
    expect: Optional[str] = field(None, doc="a text its output must hold")
    note: str = ""


@dataclass
class Container(Spec):
    """How payloads get into containers at this site."""

    runtime: Literal["apptainer", "singularity", "podman", "docker", "bubblewrap", "charliecloud"] = "apptainer"
    image: Optional[str] = None
    bind: list[str] = field(factory=list)
    note: str = ""


@dataclass
class PilotSettings(Spec):
    """What the site admin says about pilots on the queue's nodes."""

    version: str = ""
    canary: dict[str, int] = field(factory=dict, doc="versions and the percentage of pilots that get them")
    setup: list[str] = field(factory=list, doc="shell lines run before the pilot starts")
    work_dir: str = field("", doc="where jobs run; environment variables are expanded on the node")
    server_url: str = field("", doc="the server's address as the nodes see it")
    env: dict[str, str] = field(factory=dict, doc="variables every payload gets")
    container: Optional[Container] = None
    checks: list[Check] = field(factory=list)
    log_sinks: list[str] = field(factory=list)
    outbound: Literal["direct", "proxy", "relay"] = "direct"
    proxy: str = ""
    isolation: Literal["none", "user", "container"] = field(
        "none", doc="none: a pilot serves one owner at a time; user, container: payloads cannot reach the pilot's token"
    )
    memory_grace: float = field(1.0, ge=1.0, le=10.0, doc="a job is killed above this many times its memory")
    note: str = ""


@dataclass
class QueueConfig(Spec):
    """A queue as operators and site admins write it."""

    name: str = field(pattern=NAME)
    site: str = field("", max_length=100)
    schema: str = field("", alias="$schema")
    extends: str = field("", max_length=200)
    harvester: str = field("", max_length=100)
    contact: str = field("", max_length=200)
    accepts: Accepts = field(factory=Accepts)
    limits: Limits = field(factory=Limits)
    worker: WorkerKind = field(factory=WorkerSlot)
    lanes: list[Lane] = field(factory=list)
    submitter: dict[str, Any] = field(
        factory=lambda: {"type": "local"}, doc="`type` names the plugin; the rest is its own"
    )
    pilot: PilotSettings = field(factory=PilotSettings)
    price: dict[str, float] = field(factory=dict, doc="such as core_hour")
    note: str = ""


def lanes_of(queue: QueueConfig) -> list[Lane]:
    """The queue's lanes; one that says none has a single lane for every shape."""
    return queue.lanes or [Lane(name="all")]


def lane_for(queue: QueueConfig, shape: Shape) -> Optional[Lane]:
    """The first lane that fits a shape, or None."""
    return next((lane for lane in lanes_of(queue) if lane.refuses(shape) is None), None)


def worker_of(queue: QueueConfig, lane: Lane) -> WorkerKind:
    """What workers of a lane look like: the lane's own word, else the queue's."""
    return lane.worker if lane.worker is not None else queue.worker


def check_queue(queue: QueueConfig) -> None:
    """The rules that span fields. Raises InvalidSpec naming the field."""
    if not isinstance(queue.submitter.get("type"), str):
        raise InvalidSpec(
            "submitter.type", queue.submitter.get("type"), "names the submitter plugin, such as local or slurm"
        )
    seen = set()
    for n, lane in enumerate(queue.lanes):
        if lane.name in seen:
            raise InvalidSpec(f"lanes[{n}].name", lane.name, "two lanes have this name")
        seen.add(lane.name)
        for name in lane.when or {}:
            if name not in DIMENSIONS:
                raise InvalidSpec(f"lanes[{n}].if", name, "is no dimension of a shape", list(DIMENSIONS))
        if lane.when is None and n + 1 < len(queue.lanes):
            raise InvalidSpec(f"lanes[{n}]", lane.name, "takes every shape, so the lanes after it are never used")
    for name in ("cores", "memory_mib", "walltime_s", "disk_mib", "gpus"):
        bounds = getattr(queue.accepts, name)
        if bounds and bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
            raise InvalidSpec(f"accepts.{name}", {"min": bounds.min, "max": bounds.max}, "min is above max")
    if sum(queue.pilot.canary.values()) > 100:
        raise InvalidSpec("pilot.canary", queue.pilot.canary, "the percentages add up to more than 100")
