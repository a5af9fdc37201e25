"""Collections: content i is computed, and the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.collection import (
    Collection,
    FileIn,
    Files,
    Numbers,
    Rows,
    Seeds,
    file_name,
    length,
    names,
    values,
)
from barnstorm.model.payload import CommandPayload
from barnstorm.model.task import TaskSpec, content_of, jobs_of

COLLECTIONS: list[tuple[Collection | None, int, list[str]]] = [
    (None, 1, []),
    (Numbers("0-9"), 10, ["i"]),
    (Numbers("1-9,20,30-90:10"), 17, ["i"]),
    (Rows(["mu", "seed"], [[0.5, 1], [1.0, 2]]), 2, ["mu", "seed"]),
    (Seeds(5), 5, ["seed"]),
    (Files([FileIn("site:/a/x.root"), FileIn("blob:" + "ab" * 32, "y")]), 2, ["file"]),
]


@pytest.mark.parametrize(("collection", "count", "known"), COLLECTIONS)
def test_each_kind_knows_its_length_and_gives_the_placeholders_it_names(
    collection: Collection | None, count: int, known: list[str]
) -> None:
    assert length(collection) == count
    assert names(collection) == known
    for index in range(count):
        assert list(values(collection, index)) == known


@pytest.mark.parametrize(("collection", "count", "known"), COLLECTIONS)
def test_there_is_nothing_beyond_the_ends(collection: Collection | None, count: int, known: list[str]) -> None:
    for index in (-1, count, count + 1):
        with pytest.raises(IndexError):
            values(collection, index)


def test_numbers_go_through_their_ranges() -> None:
    numbers = Numbers("1-3,20,30-50:10")
    assert [values(numbers, index)["i"] for index in range(7)] == [1, 2, 3, 20, 30, 40, 50]


def test_the_rows_are_as_they_were_given() -> None:
    rows = Rows(["name", "n", "flag"], [["x", 1, True], ["y", 2.5, False]])
    assert values(rows, 1) == {"name": "y", "n": 2.5, "flag": False}


@given(st.integers(0, 2**63 - 1), st.integers(0, 9_999_999))
def test_a_seed_depends_on_base_and_index_only(base: int, index: int) -> None:
    few, many = Seeds(index + 1, base), Seeds(10_000_000, base)
    assert values(few, index) == values(many, index)
    assert 0 <= values(few, index)["seed"] < 2**31


def test_seeds_are_the_same_on_each_machine_and_in_each_version() -> None:
    assert [values(Seeds(3), index)["seed"] for index in range(3)] == [1_446_583_109, 2_005_510_037, 1_234_457_838]
    assert values(Seeds(1, base=42), 0)["seed"] != values(Seeds(1), 0)["seed"]


def test_seeds_differ_from_each_other() -> None:
    assert len({values(Seeds(2000), index)["seed"] for index in range(2000)}) > 1990


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (FileIn("site:/data/run/x.root"), "x.root"),
        (FileIn("site:/data/x.root", "in/y.root"), "in/y.root"),
        (FileIn("blob:" + "ab" * 32), "ab" * 8),
        (FileIn("task:48213/limit.json"), "limit.json"),
    ],
)
def test_an_input_lies_under_its_name_or_what_its_source_suggests(file: FileIn, name: str) -> None:
    assert file_name(file) == name


ONLY = st.sets(st.integers(0, 99), min_size=1).map(sorted)


@given(ONLY)
def test_only_picks_contents_and_jobs_are_numbered_from_zero(indices: list[int]) -> None:
    only = ",".join(str(index) for index in indices)
    spec = TaskSpec(CommandPayload(["true"]), over=Numbers("100-199"), only=only)
    assert jobs_of(spec) == len(indices)
    assert [content_of(spec, job) for job in range(len(indices))] == indices
    assert [values(spec.over, content_of(spec, job))["i"] for job in range(len(indices))] == [
        100 + index for index in indices
    ]
    with pytest.raises(IndexError):
        content_of(spec, len(indices))


def test_without_only_a_job_is_about_the_content_of_its_own_number() -> None:
    spec = TaskSpec(CommandPayload(["true"]), over=Seeds(10))
    assert (jobs_of(spec), content_of(spec, 7)) == (10, 7)


def test_only_may_pick_ranges_with_steps() -> None:
    spec = TaskSpec(CommandPayload(["true"]), over=Seeds(1000), only="5-9,100-400:100")
    assert [content_of(spec, job) for job in range(jobs_of(spec))] == [5, 6, 7, 8, 9, 100, 200, 300, 400]
