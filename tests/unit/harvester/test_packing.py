"""How many jobs fit, and that packing by counts is what packing one by one would give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.shape import Shape
from barnstorm_harvester.rules.packing import Bins, beside, less

shapes = st.builds(
    Shape,
    cores=st.integers(1, 16),
    memory_mib=st.integers(1, 64_000),
    walltime_s=st.integers(60, 90_000),
    disk_mib=st.integers(0, 5_000),
    gpus=st.integers(0, 4),
)


@pytest.mark.parametrize(
    ("job", "slot", "number"),
    [
        (Shape(1, 2000, 600, 0), Shape(8, 16_000, 600, 0), 8),
        (Shape(1, 4000, 600, 0), Shape(8, 16_000, 600, 0), 4),  # memory is what binds: 16,000 / 4,000
        (Shape(2, 1, 600, 0), Shape(7, 99, 600, 0), 3),
        (Shape(1, 1, 600, 0), Shape(8, 99, 599, 0), 0),  # a second too long
        (Shape(1, 1, 600, 0, 1), Shape(8, 99, 600, 0, 0), 0),
        (Shape(1, 1, 600, 0, 1), Shape(8, 99, 600, 0, 2), 2),
    ],
)
def test_beside(job: Shape, slot: Shape, number: int) -> None:
    assert beside(job, slot) == number


@given(shapes, shapes)
def test_beside_is_the_most_that_fits(job: Shape, slot: Shape) -> None:
    number = beside(job, slot)
    if number:
        left = less(slot, job, number)
        assert min(left.cores, left.memory_mib, left.disk_mib, left.gpus) >= 0
        assert job.fits(left) is not None
    else:
        assert job.fits(slot) is not None


def one_by_one(slots: list[Shape], job: Shape, jobs: int) -> int:
    """The same, a job at a time: the first slot with room takes it."""
    free = list(slots)
    for left in range(jobs, 0, -1):
        place = next((n for n, slot in enumerate(free) if job.fits(slot) is None), None)
        if place is None:
            return left
        free[place] = less(free[place], job, 1)
    return 0


@given(
    st.lists(st.tuples(shapes, st.integers(1, 4)), max_size=4),
    st.lists(st.tuples(shapes, st.integers(0, 40)), max_size=4),
)
def test_counts_give_what_one_by_one_gives(slots: list[tuple[Shape, int]], work: list[tuple[Shape, int]]) -> None:
    bins = Bins()
    for slot, number in slots:
        bins.add(slot, number)
    flat = [slot for slot, number in slots for _ in range(number)]
    for job, jobs in work:
        before = [slot for slot, number in bins.slots for _ in range(number)]
        assert len(before) == len(flat)
        assert bins.fill(job, jobs) == one_by_one(before, job, jobs)


def test_a_million_jobs_cost_no_more_than_one() -> None:
    bins = Bins([(Shape(8, 16_000, 600, 0), 100_000)])
    assert bins.fill(Shape(1, 2000, 600, 0), 1_000_000) == 200_000
    assert len(bins.slots) == 1
