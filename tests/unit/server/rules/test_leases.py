"""The lease clock: only silence that somebody could have heard counts, and a big fleet calls less often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm_server.rules.leases import HEARTBEATS_PER_S, clock, is_lost

TIMES = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("now", "seen_at", "counting_from", "lost"),
    [
        (100, 50, 0, False),
        (110, 50, 0, False),  # a lease that is just over is still one
        (111, 50, 0, True),
        (200, 50, 150, False),  # the server was away
        (211, 50, 150, True),
        (50, 100, 0, False),  # a clock that went back
    ],
)
def test_a_pilot_is_lost_after_a_whole_lease_in_which_it_could_be_heard(
    now: float, seen_at: float, counting_from: float, lost: bool
) -> None:
    assert is_lost(now, seen_at, counting_from, 60) is lost


@given(TIMES, TIMES, TIMES, st.floats(1, 1000))
def test_hearing_it_later_never_makes_it_lost(now: float, seen_at: float, counting_from: float, lease_s: float) -> None:
    if not is_lost(now, seen_at, counting_from, lease_s):
        assert not is_lost(now, seen_at + 10, counting_from, lease_s)
        assert not is_lost(now, seen_at, counting_from + 10, lease_s)


def test_a_small_fleet_gets_what_the_settings_say() -> None:
    assert (clock(10, 60, 5).heartbeat_s, clock(10, 60, 5).lease_s) == (10, 60)


@given(st.floats(0.05, 60), st.floats(1, 600), st.integers(0, 1_000_000))
def test_heartbeats_never_come_faster_than_the_server_can_hear(heartbeat_s: float, lease_s: float, pilots: int) -> None:
    found = clock(heartbeat_s, lease_s, pilots)
    assert pilots / found.heartbeat_s <= HEARTBEATS_PER_S * (1 + 1e-9)
    assert found.heartbeat_s >= heartbeat_s
    assert found.lease_s >= max(lease_s, 4 * found.heartbeat_s)
