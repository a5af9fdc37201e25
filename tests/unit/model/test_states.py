"""The state tables: complete, with ends that are ends, and as the design says them."""

import itertools
from collections.abc import Iterator

import pytest

from barnstorm.model.states import ATTEMPT, CONTENT, JOB, JOB_WORDS, MACHINES, PILOT, TASK, WORKER, WORKFLOW, Machine


def moves(machine: Machine) -> Iterator[tuple[str, str]]:
    return ((old, new) for old, after in machine.moves.items() for new in after)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.noun)
class TestEachMachine:
    def test_every_move_goes_to_a_known_state(self, machine: Machine) -> None:
        assert {new for _, new in moves(machine)} <= set(machine.states)

    def test_no_way_leads_out_of_a_terminal_state(self, machine: Machine) -> None:
        assert machine.terminal
        assert not [old for old, _ in moves(machine) if old in machine.terminal]
        assert machine.live | machine.terminal == set(machine.states)

    def test_every_state_can_be_reached_from_the_first(self, machine: Machine) -> None:
        reached, new = set(), {machine.states[0]}
        while new:
            reached |= new
            new = {after for before in new for after in machine.moves[before]} - reached
        assert reached == set(machine.states)

    def test_every_live_state_has_a_way_to_an_end(self, machine: Machine) -> None:
        ends = set(machine.terminal)
        while more := {old for old, new in moves(machine) if new in ends} - ends:
            ends |= more
        assert ends == set(machine.states)

    def test_no_state_moves_to_itself(self, machine: Machine) -> None:
        assert not [old for old, new in moves(machine) if old == new]

    def test_may_says_what_the_table_says(self, machine: Machine) -> None:
        for old in machine.states:
            for new in [*machine.states, "nonsense"]:
                assert machine.may(old, new) is ((old, new) in set(moves(machine)))
        assert not machine.may("nonsense", machine.states[0])


@pytest.mark.parametrize(
    ("machine", "path"),
    [
        (JOB, "defined activated sent starting running transferring finished"),
        (JOB, "transferring failed"),
        (JOB, "running cancelled"),
        (JOB, "defined closed"),
        (JOB, "activated closed"),
        (JOB, "defined held activated held"),
        (JOB, "sent activated"),
        (JOB, "transferring activated"),
        (ATTEMPT, "leased starting running transferring succeeded"),
        (ATTEMPT, "running failed"),
        (ATTEMPT, "running lost"),
        (ATTEMPT, "leased returned"),
        (TASK, "registered ready scouting running finished"),
        (TASK, "running subfinished"),
        (TASK, "registered broken"),
        (TASK, "ready paused running exhausted running"),
        (WORKFLOW, "registered running paused running subfinished"),
        (WORKER, "planned submitted running finished"),
        (WORKER, "running lost"),
        (PILOT, "starting validating idle busy idle draining gone"),
        (PILOT, "busy lost"),
        (CONTENT, "new available processing processed"),
        (CONTENT, "new staging available"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.noun,
)
def test_what_the_design_draws_is_possible(machine: Machine, path: str) -> None:
    states = path.split()
    assert all(machine.may(old, new) for old, new in itertools.pairwise(states))


@pytest.mark.parametrize(
    ("machine", "ends"),
    [
        (JOB, {"finished", "failed", "cancelled", "closed"}),
        (ATTEMPT, {"succeeded", "failed", "cancelled", "lost", "returned"}),
        (TASK, {"finished", "subfinished", "failed", "cancelled", "broken"}),
        (WORKFLOW, {"finished", "subfinished", "failed", "cancelled"}),
        (WORKER, {"finished", "failed", "cancelled", "lost"}),
        (PILOT, {"gone", "lost"}),
        (CONTENT, {"processed", "failed"}),
    ],
    ids=lambda value: value.noun if isinstance(value, Machine) else "",
)
def test_the_ends_are_those_of_the_design(machine: Machine, ends: set[str]) -> None:
    assert machine.terminal == ends


@pytest.mark.parametrize(
    ("machine", "old", "new"),
    [
        (JOB, "running", "closed"),  # closed never ran
        (JOB, "sent", "held"),
        (JOB, "running", "sent"),
        (ATTEMPT, "starting", "returned"),  # only what has not begun is given back
        (ATTEMPT, "running", "leased"),
        (PILOT, "draining", "idle"),
        (WORKER, "running", "submitted"),
        (TASK, "running", "ready"),
    ],
)
def test_what_must_not_happen_cannot(machine: Machine, old: str, new: str) -> None:
    assert not machine.may(old, new)


def test_every_job_state_has_a_word_for_screens() -> None:
    assert list(JOB_WORDS) == JOB.states
    assert set(JOB_WORDS.values()) == {"waiting", "starting", "running", "finished", "failed", "cancelled", "closed"}
    assert all(JOB_WORDS[state] == state for state in JOB.terminal)
