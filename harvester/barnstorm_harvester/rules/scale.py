"""How many workers of which shape in which lane, and why: a pure function of what waits, what there is, and the limits.

Waiting jobs are put into what is there first: workers on their way and the free room of pilots. Only what is left asks
for new workers, the highest priority first, each as far as the tightest limit lets it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from barnstorm.model.marks import new_workers
from barnstorm.model.queue import Lane, Limits, QueueConfig, WorkerSlot, lanes_of, worker_of
from barnstorm.model.shape import DIMENSIONS, Shape
from barnstorm.model.workers import Demand, DemandPart

from .budget import Budget
from .packing import Bins, beside
from .supply import Place, Supply


@dataclass
class ScaleDecision:
    """`change` workers of `shape` in `lane`, and why not fewer or more. A change of 0 has no shape."""

    lane: str
    change: int
    why: str
    shape: Shape | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class _LaneState:
    """What has been worked out for a lane so far."""

    lane: Lane
    bins: Bins
    jobs: int = 0
    unnamed: int = 0
    stopped: list[str] = field(default_factory=list)
    granted: list[tuple[Shape, int]] = field(default_factory=list)

    def stop(self, why: str) -> None:
        if why and why not in self.stopped:
            self.stopped.append(why)

    def grant(self, shape: Shape, number: int) -> None:
        for n, (there, before) in enumerate(self.granted):
            if there == shape:
                self.granted[n] = (shape, before + number)
                return
        self.granted.append((shape, number))


def decide(
    queue: QueueConfig,
    demand: Demand,
    supply: Supply,
    place: Place | None = None,
    pause: str = "",
    defaults: Limits | None = None,
) -> list[ScaleDecision]:
    """At least one decision per lane. `pause`: why nothing is submitted for the moment, empty where nothing hinders.

    Never adds beyond any limit of queue or lane, never without waiting jobs, never for a status that takes no workers.
    A queue in `test` has demand of test jobs alone: the server sees to that.
    """
    lanes = {lane.name: _LaneState(lane, _bins(lane.name, demand, supply)) for lane in lanes_of(queue)}
    parts = [part for part in demand.parts if part.jobs > 0 and part.lane in lanes]
    for part in parts:
        lanes[part.lane].jobs += part.jobs
    hindrance = _hindrance(demand.status) or pause
    budget = Budget(queue, defaults or Limits(), supply, place)
    for part in [] if hindrance else sorted(parts, key=_turn):
        if part.named or new_workers(demand.status) != "named":
            _serve(queue, lanes[part.lane], part, budget, place)
        else:
            lanes[part.lane].unnamed += part.jobs
    return [decision for state in lanes.values() for decision in _decisions(state, supply, demand, hindrance)]


def worker_shape(queue: QueueConfig, lane: Lane, job: Shape, place: Place | None) -> tuple[Shape | None, str]:
    """The shape of a new worker for jobs of one shape; where there is none, why.

    A slot larger than the largest node is cut to the node, for it would wait for ever; a worker for exactly one job is
    never cut. `node` is the largest worker that the place takes.
    """
    kind = worker_of(queue, lane)
    if kind == "job":
        shape = Shape(**{name: getattr(job, name) for name in DIMENSIONS})
    elif isinstance(kind, WorkerSlot):
        shape = kind.shape()
        if place is not None:
            shape = Shape(**{name: min(getattr(shape, name), getattr(place.node, name)) for name in DIMENSIONS})
    elif place is None:
        return None, "the submitter does not say how large a node is: give the worker a shape"
    else:
        shape = place.node
    too_big = shape.fits(place.node) if place is not None else None
    if too_big:
        return None, f"larger than any node there: {too_big}"
    no_fit = job.fits(shape)
    return (None, f"fits no worker of this lane: {no_fit}") if no_fit else (shape, "")


def _serve(queue: QueueConfig, state: _LaneState, part: DemandPart, budget: Budget, place: Place | None) -> None:
    if state.lane.mode == "push":
        state.stop("the lane is in push mode, which this harvester does not serve yet")
        return
    left = state.bins.fill(part.shape, part.jobs)
    if not left:
        return
    shape, why = worker_shape(queue, state.lane, part.shape, place)
    if shape is None:
        state.stop(f"{left:,} of {part.shape.cores} cores, {part.shape.memory_mib:,} MiB: {why}")
        return
    each = beside(part.shape, shape)
    number, stopped = budget.grant(state.lane.name, shape, -(-left // each))
    state.stop(stopped)
    if number:
        fresh = Bins([(shape, number)])
        fresh.fill(part.shape, left)
        state.bins.slots += fresh.slots
        state.grant(shape, number)


def _bins(lane: str, demand: Demand, supply: Supply) -> Bins:
    bins = Bins()
    for worker in supply.of(lane):
        if worker.on_the_way:
            bins.add(worker.shape)
    for room in demand.room:
        if room.lane == lane:
            bins.add(room.free, room.pilots)
    return bins


def _turn(part: DemandPart) -> tuple[int, int, int, int]:
    """Higher priority first; among equals larger jobs first, for they pack worse."""
    return (-part.priority, -part.shape.cores, -part.shape.memory_mib, -part.shape.walltime_s)


def _hindrance(status: str) -> str:
    return f"the queue is {status}" if new_workers(status) == "none" else ""


def _decisions(state: _LaneState, supply: Supply, demand: Demand, hindrance: str) -> Iterable[ScaleDecision]:
    name = state.lane.name
    on_the_way, live = supply.on_the_way(name), supply.live(name)
    room = sum(room.pilots for room in demand.room if room.lane == name)
    counts = {"waiting": state.jobs, "on_the_way": on_the_way, "running": live - on_the_way, "room": room}
    why = _why(state, demand, on_the_way, room, hindrance)
    for shape, number in state.granted:
        yield ScaleDecision(name, number, why, shape, counts)
    if not state.granted:
        yield ScaleDecision(name, 0, why, None, counts)


def _why(state: _LaneState, demand: Demand, on_the_way: int, room: int, hindrance: str) -> str:
    if not state.jobs:
        return "nothing waits"
    parts = [f"{state.jobs:,} {'waits' if state.jobs == 1 else 'wait'}"]
    if on_the_way:
        parts.append(f"{on_the_way:,} on the way")
    if room:
        parts.append(f"{room:,} pilots have room")
    if hindrance:
        parts.append(hindrance)
    if state.unnamed:
        parts.append(f"the queue is {demand.status}: {state.unnamed:,} do not name it")
    return ", ".join([*parts, *state.stopped])[:500]
