"""How many workers: by table for what people should read, by property for what must never happen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.marks import ORDER, new_workers
from barnstorm.model.queue import Lane, Limits, QueueConfig, Range, WorkerSlot
from barnstorm.model.shape import Shape
from barnstorm.model.workers import Demand, DemandPart, Room
from barnstorm_harvester.rules.packing import beside
from barnstorm_harvester.rules.scale import ScaleDecision, decide
from barnstorm_harvester.rules.supply import LiveWorker, Place, Supply

ONE = Shape(1, 2000, 600, 0)
NO_NODE = "the submitter does not say how large a node is: give the worker a shape"
SLOT = WorkerSlot(cores=8, memory_mib=16_000, walltime_s=3600, disk_mib=1000)


def queue(**more: object) -> QueueConfig:
    return QueueConfig("q", **more)  # type: ignore[arg-type]


def wanted(jobs: int, shape: Shape = ONE, lane: str = "all", **more: object) -> Demand:
    return Demand("q", 1, [DemandPart(lane, shape, jobs, **more)])  # type: ignore[arg-type]


def live(
    number: int, phase: str = "arrived", shape: Shape = ONE, lane: str = "all", new: bool = False
) -> list[LiveWorker]:
    return [LiveWorker(lane, shape, phase, new)] * number  # type: ignore[arg-type]


def one(decisions: list[ScaleDecision]) -> tuple[int, str]:
    (decision,) = decisions
    return decision.change, decision.why


@pytest.mark.parametrize(
    ("config", "jobs", "workers", "said"),
    [
        (queue(worker="job"), 0, [], (0, "nothing waits")),
        (queue(worker="job"), 3, [], (3, "3 wait")),
        (queue(worker="job"), 1, [], (1, "1 waits")),
        (queue(worker="job"), 3, live(2, "waiting"), (1, "3 wait, 2 on the way")),
        (queue(worker="job"), 3, live(5, "starting"), (0, "3 wait, 5 on the way")),
        (queue(worker="job"), 3, live(5, "arrived"), (3, "3 wait")),
        (queue(worker="job"), 3, live(5, "silent"), (3, "3 wait")),
        (queue(worker=SLOT), 17, [], (3, "17 wait")),  # 8 + 8 + 1
        (queue(worker=SLOT), 17, live(1, "waiting", SLOT.shape()), (2, "17 wait, 1 on the way")),
        (queue(worker="job", limits=Limits(workers=40)), 312, live(38), (2, "312 wait, limit 40 workers")),
        (queue(worker="job", limits=Limits(workers=40)), 312, live(45), (0, "312 wait, limit 40 workers")),
        (
            queue(worker="job", limits=Limits(waiting_workers=100)),
            1204,
            live(96, "waiting"),
            (4, "1,204 wait, 96 on the way, backlog 96 of 100"),
        ),
        (queue(worker="job", limits=Limits(cores=10)), 30, live(4), (6, "30 wait, limit 10 cores, 4 in use")),
        (
            queue(worker="job", limits=Limits(new_workers_per_min=5)),
            30,
            live(3, new=True),
            (2, "30 wait, limit 5 new workers a minute"),
        ),
        (
            queue(worker="job", lanes=[Lane("all", limits=Limits(workers=1))]),
            9,
            [],
            (1, "9 wait, lane limit 1 workers"),
        ),
        (
            queue(worker="node"),
            9,
            [],
            (
                0,
                f"9 wait, 9 of 1 cores, 2,000 MiB: {NO_NODE}",
            ),
        ),
    ],
)
def test_one_lane(config: QueueConfig, jobs: int, workers: list[LiveWorker], said: tuple[int, str]) -> None:
    assert one(decide(config, wanted(jobs), Supply(workers))) == said


@pytest.mark.parametrize("status", ORDER)
def test_status(status: str) -> None:
    demand = replace(wanted(5), status=status)
    named = replace(wanted(5, named=True), status=status)
    expected = {"all": (5, 5), "test": (5, 5), "named": (0, 5), "none": (0, 0)}[new_workers(status)]
    assert tuple(one(decide(queue(worker="job"), which, Supply()))[0] for which in (demand, named)) == expected
    if expected == (0, 0):
        assert one(decide(queue(worker="job"), demand, Supply()))[1] == f"5 wait, the queue is {status}"


def test_brokeroff_says_why_nothing_happens() -> None:
    said = one(decide(queue(worker="job"), replace(wanted(5), status="brokeroff"), Supply()))
    assert said == (0, "5 wait, the queue is brokeroff: 5 do not name it")


def test_pause_stops_everything_and_is_the_reason() -> None:
    assert one(
        decide(queue(worker="job"), wanted(5), Supply(), pause="paused until 12:00:00 UTC: no such account")
    ) == (
        0,
        "5 wait, paused until 12:00:00 UTC: no such account",
    )


def test_room_of_pilots_comes_first() -> None:
    demand = replace(wanted(10), room=[Room("all", Shape(3, 6000, 600, 0), 2)])
    assert one(decide(queue(worker="job"), demand, Supply(live(2)))) == (4, "10 wait, 2 pilots have room")


def test_a_slot_larger_than_the_node_is_cut_to_it() -> None:
    place = Place(Shape(2, 4000, 86_400, 9000), Shape(2, 4000, 86_400, 9000), "0 pilots here")
    (decision,) = decide(queue(worker=SLOT), wanted(3), Supply(), place)
    assert decision.shape == Shape(2, 4000, 3600, 1000)
    assert (decision.change, decision.why) == (1, "3 wait, room for 1 more: 0 pilots here")


def test_a_job_larger_than_the_node_is_never_cut() -> None:
    place = Place(Shape(2, 4000, 86_400, 9000), Shape(2, 4000, 86_400, 9000))
    change, why = one(decide(queue(worker="job"), wanted(1, Shape(4, 2000, 600, 0)), Supply(), place))
    assert change == 0
    assert why == "1 waits, 1 of 4 cores, 2,000 MiB: larger than any node there: cores 4 > 2"


def test_a_job_longer_than_the_slot_gets_no_worker() -> None:
    change, why = one(decide(queue(worker=SLOT), wanted(1, replace(ONE, walltime_s=7200)), Supply()))
    assert change == 0
    assert "fits no worker of this lane: walltime_s 7,200 > 3,600" in why


def test_node_takes_the_whole_place() -> None:
    node = Shape(16, 64_000, 86_400, 9000)
    (decision,) = decide(queue(worker="node"), wanted(20), Supply(), Place(node, node, "empty"))
    assert (decision.change, decision.shape) == (1, node)
    full = decide(
        queue(worker="node"), wanted(20), Supply(live(1, shape=node)), Place(node, None, "1 pilot has it all")
    )
    assert one(full) == (0, "20 wait, room for none more: 1 pilot has it all")


def test_lanes_have_their_own_shapes_limits_and_modes() -> None:
    lanes = [
        Lane("small", when={"memory_mib": Range(max=4000)}, worker=SLOT),
        Lane("large", when={"cores": Range(max=8)}, worker="job", limits=Limits(workers=2)),
        Lane("push", mode="push"),
    ]
    large = Shape(4, 30_000, 600, 0)
    parts = [DemandPart("small", ONE, 9), DemandPart("large", large, 5), DemandPart("push", Shape(64), 1)]
    decisions = decide(queue(lanes=lanes), Demand("q", 1, parts), Supply())
    assert [(one.lane, one.change, one.shape) for one in decisions] == [
        ("small", 2, SLOT.shape()),
        ("large", 2, large),
        ("push", 0, None),
    ]
    assert decisions[1].why == "5 wait, lane limit 2 workers"
    assert "push mode" in decisions[2].why


def test_demand_of_a_lane_that_is_no_more() -> None:
    """Description and demand travel apart: for a moment they may not fit each other."""
    (decision,) = decide(queue(worker="job"), wanted(5, lane="gone"), Supply())
    assert (decision.lane, decision.change, decision.why) == ("all", 0, "nothing waits")


def test_higher_priority_gets_what_the_limit_lets() -> None:
    urgent, usual = Shape(2, 2000, 600, 0), ONE
    parts = [DemandPart("all", usual, 9, priority=0), DemandPart("all", urgent, 1, priority=5)]
    decisions = decide(queue(worker="job", limits=Limits(workers=3)), Demand("q", 1, parts), Supply())
    assert [(one.shape, one.change) for one in decisions] == [(urgent, 1), (usual, 2)]


def test_several_shapes_share_slots() -> None:
    """4 cores and 4 × 1 core make one slot of 8; the fifth single core needs a second."""
    parts = [DemandPart("all", ONE, 5), DemandPart("all", replace(ONE, cores=4), 1)]
    assert one(decide(queue(worker=SLOT), Demand("q", 1, parts), Supply()))[0] == 2


def test_workers_that_came_and_went_count_against_the_pace() -> None:
    supply = Supply([], ended_new={"all": 4})
    assert one(decide(queue(worker="job", limits=Limits(new_workers_per_min=5)), wanted(9), supply))[0] == 1


def test_defaults_hold_where_the_queue_says_nothing() -> None:
    assert one(decide(queue(worker="job"), wanted(9), Supply(), defaults=Limits(workers=2)))[0] == 2
    own = queue(worker="job", limits=Limits(workers=5))
    assert one(decide(own, wanted(9), Supply(), defaults=Limits(workers=2)))[0] == 5


# --- what must never happen ---

small_shapes = st.builds(
    Shape,
    cores=st.integers(1, 8),
    memory_mib=st.integers(1, 32_000),
    walltime_s=st.integers(60, 90_000),
    disk_mib=st.integers(0, 500),
    gpus=st.integers(0, 2),
)
maybe = st.none() | st.integers(0, 60)
limit_sets = st.builds(Limits, workers=maybe, waiting_workers=maybe, new_workers_per_min=maybe, cores=maybe)
slots = st.builds(
    WorkerSlot,
    cores=st.integers(1, 16),
    memory_mib=st.integers(1, 64_000),
    walltime_s=st.integers(60, 90_000),
    disk_mib=st.integers(0, 1000),
    gpus=st.integers(0, 2),
)
kinds = st.sampled_from(["job", "node"]) | slots
LANES = ("a", "b")
workers = st.lists(
    st.builds(
        LiveWorker,
        st.sampled_from(LANES),
        small_shapes,
        st.sampled_from(["waiting", "starting", "arrived", "silent"]),
        st.booleans(),
    ),
    max_size=12,
)
parts = st.lists(
    st.builds(
        DemandPart,
        lane=st.sampled_from(LANES),
        shape=small_shapes,
        jobs=st.integers(0, 3000),
        priority=st.integers(-3, 3),
        named=st.booleans(),
    ),
    max_size=6,
)
rooms = st.lists(st.builds(Room, st.sampled_from(LANES), small_shapes, st.integers(1, 5)), max_size=3)
places = st.none() | st.builds(Place, small_shapes, st.none() | small_shapes, st.just("so it is"))


@st.composite
def cases(draw: st.DrawFn) -> tuple[QueueConfig, Demand, Supply, Place | None]:
    lanes = [Lane(name, worker=draw(kinds), limits=draw(limit_sets)) for name in LANES]
    demand = Demand("q", 1, draw(parts), draw(rooms), draw(st.sampled_from(ORDER)))
    return queue(lanes=lanes, limits=draw(limit_sets)), demand, Supply(draw(workers)), draw(places)


@given(cases())
def test_no_limit_is_ever_passed(case: tuple[QueueConfig, Demand, Supply, Place | None]) -> None:
    config, demand, supply, place = case
    decisions = decide(config, demand, supply, place)
    for lane, limits in [("", config.limits), *((lane.name, lane.limits) for lane in config.lanes)]:
        mine = [one for one in decisions if one.change and lane in ("", one.lane)]
        added = sum(one.change for one in mine)
        cores = sum(one.change * one.shape.cores for one in mine if one.shape)
        for bound, used, more in (
            (limits.workers, supply.live(lane), added),
            (limits.waiting_workers, supply.waiting(lane), added),
            (limits.new_workers_per_min, supply.new_last_minute(lane), added),
            (limits.cores, supply.cores(lane), cores),
        ):
            assert bound is None or not more or used + more <= bound


@given(cases())
def test_never_negative_and_always_with_a_reason(case: tuple[QueueConfig, Demand, Supply, Place | None]) -> None:
    decisions = decide(*case)
    assert {one.lane for one in decisions} == set(LANES)
    for one in decisions:
        assert one.change >= 0
        assert one.why
        assert len(one.why) <= 500
        assert (one.shape is None) == (one.change == 0)
        if one.change == 0 and one.counts["waiting"] and not one.counts["on_the_way"] and not one.counts["room"]:
            assert "," in one.why, "jobs wait, nothing comes for them: there is a reason beside their number"


@given(cases())
def test_no_worker_without_demand(case: tuple[QueueConfig, Demand, Supply, Place | None]) -> None:
    config, demand, supply, place = case
    for one in decide(config, demand, supply, place):
        jobs = sum(part.jobs for part in demand.parts if part.lane == one.lane)
        assert one.change <= jobs
    assert all(one.change == 0 for one in decide(config, replace(demand, parts=[]), supply, place))
    if new_workers(demand.status) == "none":
        assert all(one.change == 0 for one in decide(config, demand, supply, place))


@given(cases())
def test_every_new_worker_has_a_job_that_fits_it(case: tuple[QueueConfig, Demand, Supply, Place | None]) -> None:
    config, demand, supply, place = case
    for one in decide(config, demand, supply, place):
        if one.shape is not None:
            shape = one.shape
            assert any(part.shape.fits(shape) is None for part in demand.parts if part.lane == one.lane and part.jobs)
            assert place is None or shape.fits(place.node) is None


@given(cases())
def test_a_place_is_never_overfilled(case: tuple[QueueConfig, Demand, Supply, Place | None]) -> None:
    config, demand, supply, place = case
    decisions = [one for one in decide(config, demand, supply, place) if one.shape]
    if place is not None:
        free = place.free or Shape(0, 0, 0, 0)
        assert sum(one.change * one.shape.cores for one in decisions if one.shape) <= free.cores
        assert sum(one.change * one.shape.memory_mib for one in decisions if one.shape) <= free.memory_mib


@given(small_shapes, kinds, st.integers(0, 500), st.integers(0, 500), st.integers(0, 20), limit_sets)
def test_more_jobs_never_mean_fewer_workers(
    shape: Shape, kind: object, jobs: int, more: int, on_the_way: int, limits: Limits
) -> None:
    config = queue(worker=kind, limits=limits)
    supply = Supply(live(on_the_way, "waiting", shape))
    few, many = (sum(one.change for one in decide(config, wanted(n, shape), supply)) for n in (jobs, jobs + more))
    assert few <= many


@given(small_shapes, st.integers(0, 500), st.integers(0, 30), st.integers(0, 30))
def test_more_on_the_way_never_mean_more_new_ones(shape: Shape, jobs: int, few: int, more: int) -> None:
    config = queue(worker="job")
    fewer, usual = (
        sum(one.change for one in decide(config, wanted(jobs, shape), Supply(live(n, "starting", shape))))
        for n in (few + more, few)
    )
    assert fewer <= usual


@given(small_shapes, slots, st.integers(1, 5000))
def test_without_limits_everything_gets_its_place(shape: Shape, slot: WorkerSlot, jobs: int) -> None:
    (decision,) = decide(queue(worker=slot), wanted(jobs, shape), Supply())
    each = beside(shape, slot.shape())
    assert decision.change == (-(-jobs // each) if each else 0)
