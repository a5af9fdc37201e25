"""Retries: bounded always, free for faults of sites, and never for a payload's own failure unless asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.faults import FAULTS
from barnstorm_server.rules.retry import FREE_TRIES, LONGEST_BACKOFF_S, decide

CODES = st.sampled_from(["", "unknown", *FAULTS])
STATES = st.sampled_from(["failed", "lost", "returned", "cancelled"])
COUNTS = st.integers(0, 200)
OWN = sorted(code for code, fault in FAULTS.items() if fault.blame == "user")
OTHERS = sorted(set(FAULTS) - set(OWN))


@given(STATES, CODES, COUNTS, COUNTS, COUNTS)
def test_each_decision_has_a_reason_and_a_sane_delay(
    state: str, fault: str, retries: int, spent: int, free: int
) -> None:
    found = decide(state, fault, retries=retries, spent=spent, free_tries=free)
    assert found.reason
    assert 0 <= found.delay_s <= LONGEST_BACKOFF_S
    assert found.again or found.delay_s == 0


@given(st.lists(st.tuples(st.sampled_from(["failed", "lost"]), CODES), min_size=300, max_size=300), st.integers(0, 100))
def test_tries_come_to_an_end_whatever_happens(ends: list[tuple[str, str]], retries: int) -> None:
    spent = free = 0
    for tries, (state, fault) in enumerate(ends, 1):
        found = decide(state, fault, retries=retries, spent=spent, free_tries=free)
        if not found.again:
            assert tries <= retries + FREE_TRIES + 1
            return
        spent, free = spent + found.spends, free + (not found.spends)
    raise AssertionError("a job was tried without end")


@pytest.mark.parametrize("fault", OWN)
def test_a_payloads_own_failure_is_not_tried_again_unless_asked(fault: str) -> None:
    found = decide("failed", fault, retries=0, spent=0, free_tries=0)
    assert (found.again, found.spends) == (False, True)
    assert decide("failed", fault, retries=1, spent=0, free_tries=0).again
    assert not decide("failed", fault, retries=1, spent=1, free_tries=0).again


@pytest.mark.parametrize("fault", OTHERS)
def test_a_fault_of_site_or_system_is_free(fault: str) -> None:
    found = decide("failed", fault, retries=0, spent=0, free_tries=0)
    assert (found.again, found.spends) == (True, False)
    assert found.delay_s > 0
    assert not decide("failed", fault, retries=50, spent=0, free_tries=FREE_TRIES).again


@pytest.mark.parametrize("fault", ["", "lost", "not_held"])
def test_a_lost_attempt_is_free_and_begins_again_at_once(fault: str) -> None:
    found = decide("lost", fault, retries=0, spent=0, free_tries=3)
    assert (found.again, found.spends, found.delay_s) == (True, False, 0.0)


@pytest.mark.parametrize("fault", ["", "unknown"])
def test_a_failure_without_a_known_cause_is_the_payloads(fault: str) -> None:
    assert not decide("failed", fault, retries=0, spent=0, free_tries=0).again


@given(CODES, COUNTS, COUNTS, COUNTS)
def test_what_was_given_back_costs_nothing(fault: str, retries: int, spent: int, free: int) -> None:
    found = decide("returned", fault, retries=retries, spent=spent, free_tries=free)
    assert (found.again, found.spends, found.delay_s) == (True, False, 0.0)


@given(CODES, COUNTS, COUNTS, COUNTS)
def test_what_was_killed_is_over(fault: str, retries: int, spent: int, free: int) -> None:
    assert not decide("cancelled", fault, retries=retries, spent=spent, free_tries=free).again


def test_the_pause_grows() -> None:
    pauses = [decide("failed", "stage_in", retries=0, spent=0, free_tries=free).delay_s for free in range(FREE_TRIES)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 10 < 300 < pauses[-1] <= LONGEST_BACKOFF_S
