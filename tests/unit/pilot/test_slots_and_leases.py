"""The slot pool gives out exactly what there is, and leases ask for what helps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.pilots import Report
from barnstorm.model.shape import Shape
from barnstorm_pilot.held import Ended, Outbox
from barnstorm_pilot.leases import NOTHING, Pace, poll_wait_s, wish
from barnstorm_pilot.slots import SlotPool

SLOT = Shape(4, 8000, 3600, 1000, 2)


def shapes() -> st.SearchStrategy[Shape]:
    return st.builds(
        Shape,
        cores=st.integers(1, 6),
        memory_mib=st.integers(1, 9000),
        walltime_s=st.just(60),
        disk_mib=st.integers(0, 1200),
        gpus=st.integers(0, 3),
    )


@given(st.lists(st.tuples(shapes(), st.booleans()), max_size=30))
def test_the_pool_never_gives_more_than_it_has_and_gets_all_back(steps: list[tuple[Shape, bool]]) -> None:
    pool, held = SlotPool(SLOT), {}
    for number, (needs, release) in enumerate(steps):
        who = str(number)
        if pool.lacks(needs) is None:
            held[who] = (needs, pool.take(who, needs))
        else:
            with pytest.raises(ValueError, match="cannot have"):
                pool.take(who, needs)
        if release and held:
            pool.release(next(iter(held)))
            pool.cleaned(next(iter(held)))
            del held[next(iter(held))]
        given_gpus = [gpu for _, gpus in held.values() for gpu in gpus]
        assert len(given_gpus) == len(set(given_gpus))
        for name in ("cores", "memory_mib", "disk_mib", "gpus"):
            used = sum(getattr(needs, name) for needs, _ in held.values())
            assert getattr(pool, name) + used == getattr(SLOT, name)
            assert getattr(pool, name) >= 0
    for who in held:
        pool.release(who)
        pool.release(who)
        pool.cleaned(who)
        pool.cleaned(who)
    assert pool.free(60) == Shape(4, 8000, 60, 1000, 2)


def test_a_full_pool_has_no_free_shape() -> None:
    pool = SlotPool(SLOT)
    pool.take("a", Shape(4, 1, 1, 0, 0))
    assert pool.free(60) is None
    assert pool.lacks(Shape(1, 1, 1, 0, 0)) == "cores 1 > 0"


def test_disk_is_free_only_when_the_files_are_gone() -> None:
    pool = SlotPool(SLOT)
    pool.take("a", Shape(1, 1, 1, 900, 0))
    pool.release("a")
    assert (pool.cores, pool.disk_mib) == (4, 100)
    pool.cleaned("a")
    assert pool.disk_mib == 1000


def test_named_gpus_are_given_and_given_back() -> None:
    pool = SlotPool(SLOT, ["5", "7"])
    assert pool.take("a", Shape(1, 1, 1, 0, 1)) == ["5"]
    assert pool.take("b", Shape(1, 1, 1, 0, 1)) == ["7"]
    pool.release("a")
    assert pool.take("c", Shape(1, 1, 1, 0, 1)) == ["5"]


@pytest.mark.parametrize(
    ("lasted_s", "ahead"), [(None, 0), (100.0, 0), (2.0, 0), (1.9, 2), (0.1, 5), (0.001, 64), (0.0, 64)]
)
def test_only_short_jobs_are_asked_for_ahead(lasted_s: "float | None", ahead: int) -> None:
    pace = Pace()
    for _ in range(40 if lasted_s is not None else 0):
        pace.add(lasted_s or 0.0)
    assert pace.ahead(2) == ahead


def test_wishes() -> None:
    pace, free = Pace(), Shape(2, 100, 60, 10, 0)
    assert wish(free, 2, 0, pace) == (free, 2, 0)
    assert wish(None, 2, 0, pace) == (NOTHING, 0, 0)
    pace.add(0.001)
    assert wish(None, 2, 60, pace) == (NOTHING, 4, 4)
    assert wish(free, 2, 70, pace).max == 0, "what is here already takes what is free"


def test_an_idle_pilot_does_not_ask_beyond_its_end() -> None:
    assert poll_wait_s(True, 100, 20) == 20
    assert poll_wait_s(True, 3, 20) == 3
    assert poll_wait_s(True, -1, 20) == 0
    assert poll_wait_s(False, 100, 20) == 5
    assert poll_wait_s(False, 100, 0.5) == 0.5


def test_reports_wait_until_answered_and_grow_older() -> None:
    box = Outbox()
    for number in range(5):
        box.add(Report(f"1.{number}/1", "succeeded"), 1.0, 2.0)
    first = box.batch(3, 10_000)
    assert [one.attempt for one in first] == ["1.0/1", "1.1/1", "1.2/1"]
    assert len(box.batch(100, 2500)) == 2
    assert len(box.batch(100, 1)) == 1, "at least one goes, however big"
    age = first[0].ended_ago_s
    assert age is not None
    assert (box.batch(1, 1)[0].ended_ago_s or 0) >= age
    assert box.remove("1.0/1")
    assert not box.remove("1.0/1")
    assert len(box) == 4
    box.first_to_end("1.1/1")
    assert [one.attempt for one in box.batch(9, 9999)][-1] == "1.1/1"


def test_ended_attempts_are_remembered() -> None:
    ended = Ended()
    ended.add("1.0/1")
    assert "1.0/1" in ended
    assert "1.0/2" not in ended
