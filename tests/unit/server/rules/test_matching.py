"""Matching: each rule excludes by itself, and says by which numbers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.marks import ORDER, Mark
from barnstorm.model.queue import Accepts, GpuRange, Lane, QueueConfig, Range
from barnstorm.model.shape import DIMENSIONS, Shape
from barnstorm_server.rules.buckets import Bucket
from barnstorm_server.rules.matching import match

ONLINE = Mark("online")
BUCKET = Bucket(Shape(cores=4, memory_mib=16_384, walltime_s=7200, disk_mib=20_000), owner="ada", group="rubin")
ROOMY = QueueConfig(
    "SLAC_Rubin",
    site="SLAC",
    accepts=Accepts(
        cores=Range(max=64),
        memory_mib=Range(max=225_280),
        walltime_s=Range(max=172_800),
        disk_mib=Range(max=200_000),
        gpus=GpuRange(max=4),
        arch=["x86_64"],
        tags=["cvmfs", "butler"],
        groups=["rubin", "lz"],
    ),
)


def accepting(**bounds: Any) -> QueueConfig:
    return replace(ROOMY, accepts=replace(ROOMY.accepts, **bounds))


def test_what_fits_goes_through_the_first_lane_that_takes_it() -> None:
    lanes = [Lane("small", when={"memory_mib": Range(max=8192)}), Lane("big"), Lane("never")]
    assert match(BUCKET, ROOMY, ONLINE) == match(BUCKET, replace(ROOMY, lanes=[Lane("all")]), ONLINE)
    assert match(BUCKET, replace(ROOMY, lanes=lanes), ONLINE).lane == "big"


@pytest.mark.parametrize(
    ("bucket", "queue", "reason"),
    [
        (BUCKET, accepting(cores=Range(max=2)), "cores 4 > 2"),
        (BUCKET, accepting(cores=Range(min=8)), "cores 4 < 8"),
        (BUCKET, accepting(memory_mib=Range(max=8192)), "memory_mib 16,384 > 8,192"),
        (BUCKET, accepting(walltime_s=Range(max=3600)), "walltime_s 7,200 > 3,600"),
        (BUCKET, accepting(disk_mib=Range(max=10_000)), "disk_mib 20,000 > 10,000"),
        (replace(BUCKET, shape=replace(BUCKET.shape, gpus=8)), ROOMY, "gpus 8 > 4"),
        (replace(BUCKET, shape=replace(BUCKET.shape, gpus=1)), accepting(gpus=None), "gpus 1 > 0"),
        (BUCKET, accepting(gpus=GpuRange(min=1)), "gpus 0 < 1"),
        (replace(BUCKET, tags=("cvmfs", "gpfs")), ROOMY, "tag gpfs is missing"),
        (replace(BUCKET, arch="aarch64"), ROOMY, "architecture aarch64 is not x86_64"),
        (replace(BUCKET, group="atlas"), ROOMY, "takes only group rubin or lz"),
        (replace(BUCKET, group=""), ROOMY, "takes only group rubin or lz"),
        (replace(BUCKET, queues=("FrDF", "LANCS")), ROOMY, "the task keeps to queue FrDF or LANCS"),
        (replace(BUCKET, sites=("BNL",)), ROOMY, "the task keeps to site BNL"),
        (BUCKET, replace(ROOMY, lanes=[Lane("s", when={"cores": Range(max=1)})]), "no lane takes this shape"),
    ],
)
def test_each_rule_alone_excludes_and_says_why(bucket: Bucket, queue: QueueConfig, reason: str) -> None:
    found = match(bucket, queue, ONLINE)
    assert (found.fits, found.lane, found.reasons) == (False, "", (reason,))


def test_all_reasons_are_told_the_status_first() -> None:
    bucket = replace(BUCKET, tags=("gpfs",), sites=("BNL",))
    mark = Mark("offline", "Butler outage", until=1_800_000_000.0)
    found = match(bucket, accepting(cores=Range(max=1)), mark)
    assert found.reasons == (
        'offline until 15 Jan 08:00 UTC ("Butler outage")',
        "the task keeps to site BNL",
        "cores 4 > 1",
        "tag gpfs is missing",
    )


@pytest.mark.parametrize(
    ("status", "fits"),
    [
        ("online", {"plain", "named", "test"}),
        ("brokeroff", {"named"}),
        ("test", {"test"}),
        ("draining", set()),
        ("paused", set()),
        ("offline", set()),
        ("retired", set()),
    ],
)
def test_the_status_lets_through_what_it_should(status: str, fits: set[str]) -> None:
    buckets = {
        "plain": BUCKET,
        "named": replace(BUCKET, queues=("SLAC_Rubin",)),
        "test": replace(BUCKET, test=True),
    }
    found = {name: match(bucket, ROOMY, Mark(status)) for name, bucket in buckets.items()}  # type: ignore[arg-type]
    assert {name for name, result in found.items() if result.fits} == fits
    assert all(status in result.reasons[0] for result in found.values() if not result.fits)


def test_every_status_is_in_the_table_above() -> None:
    assert set(ORDER) == {"online", "brokeroff", "test", "draining", "paused", "offline", "retired"}


def test_an_architecture_that_neither_side_names_excludes_nothing() -> None:
    assert match(replace(BUCKET, arch=None), ROOMY, ONLINE).fits
    assert match(replace(BUCKET, arch="riscv64"), accepting(arch=[]), ONLINE).fits


def test_a_mark_that_ends_in_the_far_future_is_told_too() -> None:
    """Whatever the mark says: one queue's must not stop the matching of all."""
    for until in (253_402_300_799.0, 1e15, 1e300):
        assert not match(BUCKET, ROOMY, Mark("offline", until=until)).fits


RANGES = st.builds(Range, min=st.none() | st.integers(0, 50), max=st.none() | st.integers(0, 50))


@given(st.tuples(*[st.integers(1, 50)] * 4), st.tuples(*[st.none() | RANGES] * 4))
def test_a_shape_fits_exactly_where_each_dimension_is_in_its_range(
    numbers: tuple[int, ...], ranges: tuple[Range | None, ...]
) -> None:
    names = DIMENSIONS[:4]
    queue = QueueConfig("q", accepts=Accepts(**dict(zip(names, ranges, strict=True))))  # type: ignore[arg-type]
    fits = all(
        (bounds.min is None or number >= bounds.min) and (bounds.max is None or number <= bounds.max)
        for number, bounds in zip(numbers, ranges, strict=True)
        if bounds is not None
    )
    assert match(Bucket(Shape(*numbers), "ada"), queue, ONLINE).fits is fits
