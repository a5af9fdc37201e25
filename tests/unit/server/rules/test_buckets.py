"""Buckets: a ladder that rounds up a little, and documents that say the same for the same needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.payload import CommandPayload
from barnstorm.model.shape import DIMENSIONS, Needs, Shape
from barnstorm.model.task import TaskSpec
from barnstorm_server.rules.buckets import Bucket, bucket_of, from_document, ladder

NAMES = st.text("abcdefgh-_0123", min_size=1, max_size=6)
STEPS = st.sampled_from([256, 900])
NEEDS = st.builds(
    Needs,
    cores=st.integers(1, 256),
    memory_mib=st.integers(1, 4_000_000),
    walltime_s=st.integers(1, 1_000_000),
    disk_mib=st.integers(0, 4_000_000),
    gpus=st.integers(0, 8),
    tags=st.lists(NAMES, max_size=3),
    arch=st.none() | st.sampled_from(["x86_64", "aarch64"]),
)
SPECS = st.builds(
    TaskSpec,
    payload=st.just(CommandPayload(["true"])),
    needs=NEEDS,
    group=st.just("") | NAMES,
    share=st.just("") | NAMES,
    priority=st.integers(-1000, 1000),
    queues=st.lists(NAMES, max_size=3),
    sites=st.lists(NAMES, max_size=3),
    labels=st.dictionaries(st.just("test"), st.sampled_from(["true", "false"])),
    name=NAMES,
    retries=st.integers(0, 5),
)
BUCKETS = st.builds(bucket_of, SPECS, NAMES, st.none() | st.integers(1, 1_000_000))


@pytest.mark.parametrize(
    ("value", "step", "rounded"),
    [
        (0, 256, 0),
        (1, 256, 1),
        (99, 256, 99),
        (101, 256, 110),
        (1000, 256, 1000),
        (1001, 256, 1024),  # the next multiple of the step comes first
        (2000, 256, 2000),
        (2048, 256, 2048),
        (4050, 256, 4096),
        (17_180, 256, 17_408),
        (26_000, 256, 26_000),
        (60, 900, 60),
        (3600, 900, 3600),
        (3601, 900, 3700),
        (86_399, 900, 86_400),  # 23:59:59 fits a queue of one day
        (86_400, 900, 86_400),
        (172_799, 900, 172_800),
    ],
)
def test_the_ladder_keeps_the_numbers_people_write(value: int, step: int, rounded: int) -> None:
    assert ladder(value, step) == rounded


@given(st.integers(0, 2**30), STEPS)
def test_the_ladder_never_rounds_down_nor_up_by_more_than_a_tenth(value: int, step: int) -> None:
    assert value <= ladder(value, step) <= value * 1.1


@given(st.integers(0, 2**30), STEPS)
def test_a_step_of_the_ladder_stays_where_it_is(value: int, step: int) -> None:
    rounded = ladder(value, step)
    assert ladder(rounded, step) == rounded


@given(st.integers(0, 2**30), st.integers(0, 2**30), STEPS)
def test_the_ladder_keeps_the_order(one: int, other: int, step: int) -> None:
    low, high = sorted((one, other))
    assert ladder(low, step) <= ladder(high, step)


def test_the_ladder_has_few_steps() -> None:
    assert len({ladder(value, 900) for value in range(1, 7 * 86_400, 7)}) < 1000


@given(SPECS, NAMES)
def test_a_job_fits_wherever_its_bucket_fits(spec: TaskSpec, owner: str) -> None:
    needs, shape = spec.needs, bucket_of(spec, owner).shape
    assert Shape(*(getattr(needs, name) for name in DIMENSIONS)).fits(shape) is None


@given(BUCKETS)
def test_a_bucket_comes_back_from_its_document(bucket: Bucket) -> None:
    again = from_document(bucket.document())
    assert again == bucket
    assert again.digest() == bucket.digest()
    assert hash(again.digest()) == hash(bucket.digest())


@given(SPECS, NAMES)
def test_equal_needs_give_one_bucket_whatever_else_the_task_says(spec: TaskSpec, owner: str) -> None:
    needs = spec.needs
    other = TaskSpec(
        CommandPayload(["something", "else"]),
        name="another",
        retries=spec.retries + 1,
        env={"A": "b"},
        needs=Needs(
            cores=needs.cores,
            memory_mib=ladder(needs.memory_mib, 256),
            walltime_s=needs.walltime_s,
            disk_mib=needs.disk_mib,
            gpus=needs.gpus,
            tags=list(reversed(needs.tags)) + needs.tags,
            arch=needs.arch,
        ),
        group=spec.group,
        share=spec.share,
        priority=spec.priority,
        queues=list(reversed(spec.queues)),
        sites=spec.sites + spec.sites,
        labels={**spec.labels, "campaign": "x"},
    )
    assert bucket_of(spec, owner).digest() == bucket_of(other, owner).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"needs": Needs(cores=2)},
        {"needs": Needs(memory_mib=5000)},
        {"needs": Needs(gpus=1)},
        {"needs": Needs(tags=["cvmfs"])},
        {"needs": Needs(arch="aarch64")},
        {"group": "rubin"},
        {"share": "rubin/prod"},
        {"priority": 1},
        {"queues": ["q"]},
        {"sites": ["SLAC"]},
        {"labels": {"test": "true"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_decides_where_a_job_may_run_makes_another_bucket(change: dict[str, object]) -> None:
    plain = TaskSpec(CommandPayload(["true"]))
    other = TaskSpec(CommandPayload(["true"]), **change)  # type: ignore[arg-type]
    assert bucket_of(plain, "ada").digest() != bucket_of(other, "ada").digest()


def test_each_owner_has_buckets_of_his_own() -> None:
    spec = TaskSpec(CommandPayload(["true"]))
    assert bucket_of(spec, "ada").digest() != bucket_of(spec, "bob").digest()


def test_a_jobs_own_memory_goes_before_its_tasks() -> None:
    spec = TaskSpec(CommandPayload(["true"]), needs=Needs(memory_mib=1000))
    assert bucket_of(spec, "ada", 3000).shape.memory_mib == 3000
    assert bucket_of(spec, "ada", None).shape.memory_mib == 1000
