"""Demand: parts that add up to the whole, divided by weights."""

from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.shape import Shape
from barnstorm_server.rules.buckets import Bucket
from barnstorm_server.rules.demand import divide, parts_of, weight

WEIGHTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(1e-6, 1e6), min_size=1, max_size=20)
ENTRIES = st.lists(
    st.tuples(
        st.builds(
            lambda cores, memory, owner, priority, queues: Bucket(
                Shape(cores, memory), owner, priority=priority, queues=queues
            ),
            st.integers(1, 2),
            st.sampled_from([1000, 2000]),
            st.sampled_from(["ada", "bob"]),
            st.integers(0, 1),
            st.sampled_from([(), ("q",)]),
        ),
        st.sampled_from(["small", "big"]),
        st.integers(0, 50),
    ),
    max_size=20,
)


@given(st.integers(0, 10_000_000), WEIGHTS)
def test_the_parts_add_up_to_the_whole(count: int, weights: dict[str, float]) -> None:
    parts = divide(count, weights)
    assert sum(parts.values()) == count
    assert parts.keys() == weights.keys()
    assert all(part >= 0 for part in parts.values())


@given(st.integers(0, 100_000), WEIGHTS)
def test_no_part_is_more_than_one_job_from_its_share(count: int, weights: dict[str, float]) -> None:
    total = sum(weights.values())
    for name, part in divide(count, weights).items():
        assert abs(part - count * weights[name] / total) < 1 + 1e-6


def test_the_largest_remainders_get_what_is_left() -> None:
    assert divide(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert divide(7, {"a": 50, "b": 30, "c": 20}) == {"a": 4, "b": 2, "c": 1}
    assert divide(1, {"a": 0.1, "b": 0.9}) == {"a": 0, "b": 1}


def test_no_weights_no_parts() -> None:
    assert divide(5, {}) == {}


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_queue_draws_more_the_more_it_runs_and_the_less_it_has_waiting(running: int, waiting: int) -> None:
    assert weight(running, waiting) > 0
    assert weight(running + 1, waiting) > weight(running, waiting)
    assert weight(running, waiting + 1) < weight(running, waiting)


@given(ENTRIES)
def test_merged_parts_lose_no_job(entries: list[tuple[Bucket, str, int]]) -> None:
    demand = parts_of({"q": entries, "r": []})
    assert sum(part.jobs for part in demand["q"]) == sum(jobs for _, _, jobs in entries)
    assert demand["r"] == []
    keys = [(part.lane, part.shape, part.priority, part.named) for part in demand["q"]]
    assert len(keys) == len({str(key) for key in keys})
    assert all(part.jobs > 0 for part in demand["q"])


@given(ENTRIES)
def test_parts_say_which_jobs_name_the_queue_and_the_urgent_come_first(entries: list[tuple[Bucket, str, int]]) -> None:
    parts = parts_of({"q": entries})["q"]
    named = sum(jobs for bucket, _, jobs in entries if "q" in bucket.queues)
    assert sum(part.jobs for part in parts if part.named) == named
    assert [part.priority for part in parts] == sorted((part.priority for part in parts), reverse=True)


@given(ENTRIES, st.randoms())
def test_the_same_demand_is_the_same_document_whatever_the_order(
    entries: list[tuple[Bucket, str, int]], random: "object"
) -> None:
    """Its version grows when it changes, so it must not seem to."""
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert parts_of({"q": entries}) == parts_of({"q": shuffled})
