"""What an answer of a batch system means: unknown is never failed, absence is never an end by itself."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.states import WORKER
from barnstorm_harvester.rules.lifecycle import Life, advance
from barnstorm_plugins.submitters.base import Word

WORDS = get_args(Word)
GRACE_S = 100.0


def follow(*answers: tuple[float, str], state: str = "submitted") -> Life:
    life = Life(state)
    for at, word in answers:
        life = advance(life, word, at, GRACE_S)
    return life


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([(0, "waiting")], "submitted"),
        ([(0, "running")], "running"),
        ([(0, "running"), (1, "waiting")], "running"),  # requeued: a state never goes back
        ([(0, "finished")], "finished"),
        ([(0, "running"), (1, "failed")], "failed"),
        ([(0, "cancelled")], "cancelled"),
        ([(0, "unknown"), (9999, "unknown")], "submitted"),
        ([(0, "absent")], "submitted"),
        ([(0, "absent"), (99, "absent")], "submitted"),
        ([(0, "absent"), (100, "absent")], "lost"),
        ([(0, "absent"), (50, "running"), (150, "absent")], "running"),
        ([(0, "absent"), (50, "unknown"), (150, "absent")], "lost"),  # no answer neither proves nor disproves
        ([(0, "absent"), (999, "unknown")], "submitted"),
        ([(0, "finished"), (1, "running"), (2, "failed"), (3, "absent"), (999, "absent")], "finished"),
    ],
)
def test_table(answers: list[tuple[float, str]], state: str) -> None:
    assert follow(*answers).state == state


def test_unknown_keeps_its_beginning() -> None:
    life = follow((5, "unknown"), (9, "unknown"))
    assert life.unknown_since == 5
    assert follow((5, "unknown"), (9, "running")).unknown_since is None


histories = st.lists(st.tuples(st.floats(0, 50), st.sampled_from(WORDS)), max_size=30)


@given(histories)
def test_each_step_is_legal_and_ends_are_final(history: list[tuple[float, str]]) -> None:
    life, now = Life("planned"), 0.0
    for passed, word in history:
        now += passed
        after = advance(life, word, now, GRACE_S)
        assert after.state == life.state or WORKER.may(life.state, after.state)
        if life.ended:
            assert after == life
        if word == "unknown":
            assert after.state == life.state
        life = after


@given(histories)
def test_lost_only_after_two_full_answers_and_the_grace(history: list[tuple[float, str]]) -> None:
    life, now, absences = Life("running"), 0.0, []
    for passed, word in history:
        now += passed
        if word == "absent":
            absences.append(now)
        elif word != "unknown":
            absences.clear()
        life = advance(life, word, now, GRACE_S)
        if life.state == "lost":
            assert len(absences) >= 2
            assert now - absences[0] >= GRACE_S
            return
        if life.ended:
            return
