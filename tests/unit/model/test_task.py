"""The rules of a task that span fields: each refusal names the field, the value, and what would be right."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.collection import MAX_JOBS, FileIn, Files, Numbers, Rows, Seeds
from barnstorm.model.payload import CommandPayload, ScriptPayload
from barnstorm.model.task import MAX_TEXT, FileOut, InvalidSpec, TaskSpec, check_path, check_task, input_tasks, jobs_of

COMMAND = CommandPayload(["python3", "toy.py"])
BLOB = "blob:" + "ab" * 32


def spec(**fields: Any) -> TaskSpec:
    return TaskSpec(**{"payload": COMMAND, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"payload": CommandPayload(["awk", "{print $1}", "${HOME}", "{{literal}}"])},
        {"payload": CommandPayload(["run", "{task}", "{index}", "{job}"])},
        {"payload": CommandPayload(["run", "{i}"]), "over": Numbers("0-9")},
        {"payload": CommandPayload(["run", "{seed}"]), "over": Seeds(MAX_JOBS)},
        {"payload": CommandPayload(["run", "{mu}", "{b_2}"]), "over": Rows(["mu", "b_2"], [[0.5, "x"]])},
        {"payload": CommandPayload(["run", "{file}"]), "over": Files([FileIn("site:/a/b")])},
        {"payload": ScriptPayload("#!/bin/sh\necho {whatever} $1\n", ["{i}"]), "over": Numbers("1-3")},
        {"payload": ScriptPayload("true")},
        {"env": {"SEED": "{index}", "EMPTY": ""}},
        {"outputs": [FileOut("out/{index}.json"), FileOut("dir/deep/x")]},
        {"inputs": [FileIn(BLOB, "in/x"), FileIn("site:/data/x"), FileIn("task:7"), FileIn("task:7/limit.json")]},
        {"labels": {"campaign": "limits", "a/b.c_d-e": "ä" * 200}},
        {"over": Seeds(100), "only": "0-9,99"},
        {"after": [1, 2**63 - 1]},
    ],
)
def test_what_is_right_passes(fields: dict[str, Any]) -> None:
    check_task(spec(**fields))


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"payload": CommandPayload([])}, "payload.argv", "names no program"),
        ({"payload": CommandPayload([""])}, "payload.argv", "names no program"),
        ({"payload": CommandPayload(["run", "{seed}"])}, "payload.argv", "unknown placeholder {seed}"),
        ({"payload": ScriptPayload("x", ["{seed}"])}, "payload.args", "unknown placeholder {seed}"),
        ({"payload": CommandPayload(["run", "a\0b"])}, "payload", "NUL"),
        ({"payload": CommandPayload(["run", "x" * (MAX_TEXT + 1)])}, "payload", "over 131,072 bytes"),
        ({"payload": CommandPayload(["run", "ä" * (MAX_TEXT // 2)])}, "payload", "over 131,072 bytes"),
        ({"env": {"A": "x" * MAX_TEXT, "B": "x"}}, "env", "over 131,072 bytes"),
        ({"env": {"": "x"}}, "env", "not empty"),
        ({"env": {"A=B": "x"}}, "env", "no '='"),
        ({"env": {"A\0": "x"}}, "env", "NUL"),
        ({"env": {"A": "x\0"}}, "env", "NUL"),
        ({"env": {"BARNSTORM_JOB_ID": "1"}}, "env", "set by the pilot"),
        ({"env": {"A": "{nope}"}}, "env.A", "unknown placeholder {nope}"),
        ({"outputs": [FileOut("ok"), FileOut("{nope}")]}, "outputs[1].name", "unknown placeholder"),
        ({"outputs": [FileOut("/etc/passwd")]}, "outputs[0].name", "below the work directory"),
        ({"outputs": [FileOut("a/../../b")]}, "outputs[0].name", "below the work directory"),
        ({"outputs": [FileOut("")]}, "outputs[0].name", "below the work directory"),
        ({"inputs": [FileIn(BLOB, "{nope}")]}, "inputs[0].name", "unknown placeholder"),
        ({"inputs": [FileIn(BLOB, "../x")]}, "inputs[0].name", "below the work directory"),
        ({"inputs": [FileIn("site:/")]}, "inputs[0].name", "below the work directory"),
        ({"inputs": [FileIn(f"task:{2**63}")]}, "inputs", "below 2^63"),
        ({"over": Files([FileIn(BLOB, "/x")])}, "inputs[0].name", "below the work directory"),
        ({"over": Files([])}, "over", "empty"),
        ({"over": Rows(["a"], [])}, "over", "empty"),
        ({"over": Numbers("5-3")}, "over.ranges", "not a range"),
        ({"over": Numbers("x")}, "over.ranges", "not a range"),
        ({"over": Numbers(f"0-{MAX_JOBS}")}, "over", "at most 10,000,000 jobs"),
        ({"over": Numbers("0-9999999,0-9999999")}, "over", "at most 10,000,000 jobs"),
        ({"over": Rows(["a", "b"], [[1, 2], [1]])}, "over.rows[1]", "1 values for 2 columns"),
        ({"over": Rows(["index"], [[1]])}, "over.columns", "lower-case name"),
        ({"over": Rows(["Mu"], [[1]])}, "over.columns", "lower-case name"),
        ({"over": Rows(["a b"], [[1]])}, "over.columns", "lower-case name"),
        ({"over": Rows([""], [[1]])}, "over.columns", "lower-case name"),
        ({"over": Rows(["a", "a"], [[1, 2]])}, "over.columns", "twice"),
        ({"over": Seeds(10), "only": "10"}, "only", "numbered from 0"),
        ({"over": Seeds(10), "only": "0-20:30,12"}, "only", "numbered from 0"),
        ({"over": Seeds(10), "only": "x"}, "only", "not a range"),
        ({"over": Seeds(10), "only": ""}, "only", "not a range"),
        ({"over": Seeds(10), "only": "0-9,3"}, "only", "names a content twice"),
        ({"over": Seeds(MAX_JOBS), "only": "0-9999999," * 1000 + "0"}, "only", "names a content twice"),
        ({"only": "1"}, "only", "numbered from 0"),
        ({"after": [0]}, "after", "positive"),
        ({"after": [-3]}, "after", "positive"),
        ({"after": [2**63]}, "after", "below 2^63"),
        ({"labels": {"": "x"}}, "labels", "label's key"),
        ({"labels": {"a b": "x"}}, "labels", "label's key"),
        ({"labels": {"x" * 64: "x"}}, "labels", "label's key"),
        ({"labels": {"a\n": "x"}}, "labels", "label's key"),
        ({"labels": {"a": "x" * 201}}, "labels.a", "200 characters"),
        ({"labels": {"a": "x\ny"}}, "labels.a", "one line"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        check_task(spec(**fields))
    assert caught.value.field == field
    assert words in caught.value.message
    assert len(str(caught.value.value)) < 1000


def test_an_unknown_placeholder_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidSpec) as caught:
        check_task(spec(payload=CommandPayload(["{sed}"]), over=Seeds(3)))
    assert caught.value.allowed == ["index", "job", "seed", "task"]


def test_a_million_jobs_are_checked_without_making_them() -> None:
    check_task(spec(over=Numbers("0-9999999"), only="0-9999998:2"))
    assert jobs_of(spec(over=Numbers("0-9999999"), only="0-9999998:2")) == 5_000_000


def test_the_tasks_whose_outputs_are_inputs_are_known() -> None:
    over = Files([FileIn("task:9/x"), FileIn(BLOB)])
    assert input_tasks(spec(inputs=[FileIn("task:7"), FileIn("task:7/a/b"), FileIn("site:/task:8")], over=over)) == {
        7,
        9,
    }
    assert input_tasks(spec()) == set()


SAFE = st.lists(st.text("abc._-", min_size=1, max_size=5).filter(lambda part: part != ".."), min_size=1, max_size=4)


@given(SAFE)
def test_paths_below_the_work_directory_are_fine(parts: list[str]) -> None:
    check_path("x", "/".join(parts))


@pytest.mark.parametrize("path", ["", "/", "/a", "..", "../a", "a/..", "a/../b", "a//b", "a\0b", "a\nb", "//"])
def test_other_paths_are_not(path: str) -> None:
    with pytest.raises(InvalidSpec):
        check_path("x", path)
