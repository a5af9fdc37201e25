"""JSON with the line of every value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.jsonfile import BadFile, dotted, parse

TEXT = """{
  "name": "a",
  "lanes": [
    {"name": "x",
     "if": {"cores": {"max": 3}}},
    {}
  ],
  "esc\\u0061pe": -1.5e3
}
"""


def test_lines() -> None:
    document = parse(TEXT)
    assert document.value == json.loads(TEXT)
    assert {dotted(where): line for where, line in document.lines.items()} == {
        "": 1, "name": 2, "lanes": 3, "lanes[0]": 4, "lanes[0].name": 4, "lanes[0].if": 5, "lanes[0].if.cores": 5,
        "lanes[0].if.cores.max": 5, "lanes[1]": 6, "escape": 8,
    }  # fmt: skip
    assert document.line(("lanes", 1, "name")) == 6
    assert document.problems == []


def test_duplicates() -> None:
    document = parse('{"a": 1,\n "b": {"c": 1,\n "c": 2}}', "f.json")
    assert document.value == {"a": 1, "b": {"c": 2}}
    assert [str(one) for one in document.problems] == ["f.json:3: b.c: stands twice in this object; first on line 2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: the file ends too early"),
        ('{"a": 1\n', ":2: the file ends too early"),
        ('{"a": 1,\n}', ':2: a comma stands before "}"'),
        ("[1,\n2,]", ':2: a comma stands before "]"'),
        ('{"a": 1\n "b": 2}', ':2: expected "," or "}"'),
        ("{'a': 1}", ":1: expected a field's name in double quotes"),
        ("{\"a\": 'b'}", ':1: expected a value, not "\'"; texts have double quotes'),
        ('{"a" 1}', ':1: expected ":" after "a"'),
        ('{\n // note\n "a": 1}', ":2: JSON has no comments"),
        ('{"a": "x\ny"}', ":1: a text is wrong: invalid control character"),
        ('{"a": NaN}', ":1: expected a value"),
        ("{} x", ":1: there is more text"),
        ("[" * 200, ":1: is nested deeper than 100 levels"),
        ('{"a": 01}', ':1: expected "," or "}"'),
    ],
)
def test_broken(text: str, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse(text, "f.json")
    assert str(caught.value).startswith("f.json" + said)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
))  # fmt: skip
def test_it_reads_what_json_writes(value: object) -> None:
    for indent in (None, 2):
        assert parse(json.dumps(value, indent=indent, ensure_ascii=False)).value == value
