"""Picking: the order of buckets, and never more than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.shape import Shape
from barnstorm_server.rules.buckets import Bucket
from barnstorm_server.rules.pick import Candidate, how_many, less, order

SHAPES = st.builds(
    Shape,
    cores=st.integers(1, 16),
    memory_mib=st.integers(1, 64_000),
    walltime_s=st.integers(1, 86_400),
    disk_mib=st.integers(0, 100_000),
    gpus=st.integers(0, 4),
)
FREE = st.builds(
    Shape,
    cores=st.integers(0, 64),
    memory_mib=st.integers(0, 256_000),
    walltime_s=st.integers(0, 86_400),
    disk_mib=st.integers(0, 400_000),
    gpus=st.integers(0, 8),
)
CANDIDATES = st.lists(
    st.builds(
        lambda id, owner, priority, head: Candidate(id, Bucket(Shape(), owner, priority=priority), 1, head),
        st.integers(1, 100),
        st.sampled_from(["ada", "bob"]),
        st.integers(-2, 2),
        st.tuples(st.integers(1, 50), st.integers(0, 50)),
    ),
    max_size=20,
)
COUNTED = ("cores", "memory_mib", "disk_mib", "gpus")


@given(CANDIDATES)
def test_priority_goes_before_age(candidates: list[Candidate]) -> None:
    keys = [(-one.bucket.priority, one.head) for one in order(candidates, None)]
    assert keys == sorted(keys)
    assert len(keys) == len(candidates)


@given(CANDIDATES, st.sampled_from(["ada", "bob", "eve"]))
def test_with_an_owner_only_his_are_left(candidates: list[Candidate], owner: str) -> None:
    found = order(candidates, owner)
    assert {one.bucket.owner for one in found} <= {owner}
    assert len(found) == sum(one.bucket.owner == owner for one in candidates)


@given(SHAPES, FREE, st.integers(0, 1000))
def test_what_is_picked_fits_together(needs: Shape, free: Shape, most: int) -> None:
    count = how_many(needs, free, None, most)
    assert 0 <= count <= most
    left = less(free, needs, count)
    assert all(getattr(left, name) >= 0 for name in COUNTED)


@given(SHAPES, FREE, st.integers(0, 1000))
def test_one_more_would_not_fit(needs: Shape, free: Shape, most: int) -> None:
    count = how_many(needs, free, None, most)
    left = less(free, needs, count + 1)
    assert count == most or any(getattr(left, name) < 0 for name in COUNTED)


@given(SHAPES, FREE, st.floats(0, 1e6), st.integers(0, 10))
def test_nothing_is_picked_that_outlives_the_worker(needs: Shape, free: Shape, left_s: float, most: int) -> None:
    expected = how_many(needs, free, None, most) if needs.walltime_s <= left_s else 0
    assert how_many(needs, free, left_s, most) == expected


@given(FREE, st.integers(-5, 0))
def test_no_room_for_a_count_below_one(free: Shape, most: int) -> None:
    assert how_many(Shape(), free, None, most) == 0
