"""Ids and ranges: what is written is read back, and nothing else is."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barnstorm.model.ids import (
    AttemptId,
    InvalidId,
    JobId,
    nth,
    parse_attempt,
    parse_job,
    parse_prefixed,
    parse_task,
    parse_task_or_job,
    ranges,
    spans,
    total,
)

TASKS = st.integers(1, 2**63 - 1)
INDICES = st.integers(0, 9_999_999_999)
NUMBERS = st.integers(1, 999_999_999)


@given(TASKS, INDICES, NUMBERS)
def test_ids_are_read_as_they_are_written(task: int, index: int, number: int) -> None:
    assert parse_task(str(task)) == task
    assert parse_job(str(JobId(task, index))) == JobId(task, index)
    attempt = AttemptId(task, index, number)
    assert parse_attempt(str(attempt)) == attempt
    assert attempt.job == JobId(task, index)
    assert parse_prefixed("w", f"w{task}") == task
    assert parse_prefixed("p", f"p{task}") == task
    assert parse_task_or_job(f"{task}") == (task, None)
    assert parse_task_or_job(f"{task}.{index}") == (task, index)


def test_the_designs_examples() -> None:
    assert parse_task("48213") == 48213
    assert parse_job("48213.7") == (48213, 7)
    assert parse_attempt("48213.7/2") == (48213, 7, 2)
    assert parse_prefixed("w", "w88123") == 88123
    assert parse_prefixed("p", "p90012") == 90012


BAD_TASKS = ["", "0", "-1", "01", "1 ", " 1", "1\n", "1.0", "x", "١", "²", "1e3", "+1", str(2**63), "9" * 30, "1_000"]
BAD_JOBS = [
    "",
    "1",
    "1.",
    ".1",
    "0.1",
    "1.-1",
    "1.1.1",
    "1.1/1",
    "1.١",
    "1.99999999999",
    f"{2**63}.0",
    "1.1\n",
    "1,1",
    "1.00",
    "1.01",
]
BAD_ATTEMPTS = ["", "1.1", "1.1/", "1.1/0", "1.1/-1", "1.1/1/1", "1.1/1\n", "1.1/9999999999", "1/1", f"{2**63}.0/1"]
BAD_WORKERS = ["", "w", "w0", "w01", "88123", "p88123", "W88123", "w1.5", f"w{2**63}", "w1\n", "w-1", "w²"]


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_task, text) for text in BAD_TASKS]
    + [(parse_job, text) for text in BAD_JOBS]
    + [(parse_attempt, text) for text in BAD_ATTEMPTS]
    + [(lambda text: parse_prefixed("w", text), text) for text in BAD_WORKERS],
)
def test_what_is_no_id_is_refused_with_an_example(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidId, match="one looks like"):
        parse(text)


@given(st.text(max_size=20))
@example("1.0/1")
@example("w1")
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    parsers: tuple[Callable[[str], object], ...] = (parse_task, parse_job, parse_attempt)
    for parse in parsers:
        try:
            found = parse(text)
        except InvalidId:
            continue
        assert str(found) == text


@given(st.sets(st.integers(0, 500)))
def test_ranges_say_exactly_the_indices(indices: set[int]) -> None:
    text = ranges(indices)
    found = [index for span in spans(text) for index in span] if text else []
    assert found == sorted(indices)


@given(st.lists(st.integers(0, 500)))
def test_ranges_need_no_order_and_no_distinctness(indices: list[int]) -> None:
    assert ranges(indices) == ranges(set(indices))


def test_ranges_are_as_short_as_can_be() -> None:
    assert ranges([0, 1, 2, 7]) == "0-2,7"
    assert ranges(range(1_000_000)) == "0-999999"
    assert ranges([]) == ""
    assert ranges([5, 3, 4]) == "3-5"


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 500))
def test_spans_count_without_making_the_numbers(first: int, more: int, step: int) -> None:
    (span,) = spans(f"{first}-{first + more}:{step}")
    assert span == range(first, first + more + 1, step)


def test_spans_with_steps_and_spaces() -> None:
    assert spans("1-9, 20 ,30-90:10") == [range(1, 10), range(20, 21), range(30, 91, 10)]
    assert len(spans("0-9999999999")[0]) == 10_000_000_000


@pytest.mark.parametrize(
    "text",
    ["", ",", "1,", "a", "-1", "5-3", "1-2-3", "1:0", "1-5:", "1-5:-1", "1.5", "99999999999", "1;2", "1\n", "²-3"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidId, match="range"):
        spans(text)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50), st.integers(1, 7)), min_size=1, max_size=10))
def test_the_nth_number_of_ranges_is_found_without_going_through_them(parts: list[tuple[int, int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}:{step}" for first, more, step in parts)
    numbers = [number for span in spans(text) for number in span]
    assert total(text) == len(numbers)
    assert [nth(text, position) for position in range(len(numbers))] == numbers
    for position in (-1, len(numbers)):
        with pytest.raises(IndexError):
            nth(text, position)


def test_the_text_of_an_error_stays_short() -> None:
    with pytest.raises(InvalidId) as caught:
        spans("x" * 1_000_000)
    assert len(str(caught.value)) < 300
