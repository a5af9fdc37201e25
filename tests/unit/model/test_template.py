"""Placeholders: only `{lower_case}` counts, everything else stays as its writer meant it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from barnstorm.model.template import UnknownPlaceholder, check, fill, placeholders

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.integers() | st.floats(allow_nan=False) | st.text(max_size=10) | st.booleans()
# Pieces that a command line may hold: braces of all kinds, shell and awk among them.
PIECES = st.lists(
    st.sampled_from(["{seed}", "{i}", "{{", "}}", "{", "}", "$", "${HOME}", "{print $1}", "{}", "{A}", "x", " ", "{i"]),
    max_size=8,
).map("".join)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("--seed {seed}", "--seed 7"),
        ("{seed}{seed}", "77"),
        ("out_{seed}_{i}.json", "out_7_0.json"),
        ("${HOME}/x", "${HOME}/x"),
        ("${seed}", "${seed}"),
        ("$HOME {seed}", "$HOME 7"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("{}", "{}"),
        ("{ seed }", "{ seed }"),
        ("{Seed}", "{Seed}"),
        ("{1}", "{1}"),
        ("{seed", "{seed"),
        ("seed}", "seed}"),
        ("{{seed}}", "{seed}"),
        ("{{{seed}}}", "{{seed}}"),
        ("{{}}", "{{}}"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("docker inspect -f '{{.Id}}'", "docker inspect -f '{{.Id}}'"),
        ("find -exec rm {} +", "find -exec rm {} +"),
        ('{"a": 1}', '{"a": 1}'),
        ("", ""),
    ],
)
def test_what_is_filled_and_what_is_left(text: str, filled: str) -> None:
    assert fill(text, {"seed": 7, "i": 0}) == filled


@given(PIECES)
def test_what_was_checked_can_be_filled(text: str) -> None:
    try:
        check(text, ["seed", "i"])
    except UnknownPlaceholder:
        assume(False)
    filled = fill(text, {"seed": "S", "i": "I"})
    assert ("{seed}" not in text) or ("S" in filled) or ("{seed}" in filled)


@given(PIECES, st.sets(st.sampled_from(["seed", "i"])))
def test_check_refuses_exactly_what_cannot_be_filled(text: str, known: set[str]) -> None:
    def refuses(call: object) -> bool:
        try:
            call()  # type: ignore[operator]
        except UnknownPlaceholder:
            return True
        return False

    assert refuses(lambda: check(text, known)) is refuses(lambda: fill(text, dict.fromkeys(known, 1)))


@given(NAMES, VALUES)
def test_a_value_is_put_in_as_it_stands(name: str, value: object) -> None:
    """Even one that looks like a placeholder itself."""
    assert fill(f"<{{{name}}}>", {name: value}) == f"<{value}>"
    assert fill(f"{{{name}}}", {name: "{other}"}) == "{other}"


@given(st.text(st.characters(exclude_characters="{}"), max_size=50))
def test_a_text_without_braces_is_its_own(text: str) -> None:
    assert fill(text, {}) == text
    assert placeholders(text) == []


def test_placeholders_are_told_in_order() -> None:
    assert placeholders("{b} {a} ${c} {{d}} {b}") == ["b", "a", "b"]


def test_an_unknown_one_is_refused_with_what_is_known_and_how_to_write_it_literally() -> None:
    with pytest.raises(UnknownPlaceholder) as caught:
        check("run {sed}", ["seed", "i"])
    assert str(caught.value) == (
        "unknown placeholder {sed} in 'run {sed}'; known here: {i}, {seed}. Write {{sed}} for the text itself"
    )
    assert fill("run {{sed}}", {}) == "run {sed}"
