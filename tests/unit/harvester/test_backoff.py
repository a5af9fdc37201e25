"""Pauses after failed submissions."""

from itertools import pairwise

from barnstorm_harvester.rules.backoff import Pause, after_failure, after_success


def pauses(for_ever: bool, number: int) -> list[float]:
    pause, found = Pause(), []
    for _ in range(number):
        pause = after_failure(pause, "no", for_ever, 1000.0)
        found.append(pause.until - 1000.0)
    return found


def test_longer_each_time_up_to_a_bound() -> None:
    assert pauses(False, 4) == [1, 2, 4, 8]
    assert pauses(False, 100)[-1] == 300
    assert pauses(True, 3) == [30, 60, 120]
    assert pauses(True, 100)[-1] == 900
    assert all(one <= other for one, other in pairwise(pauses(False, 60)))


def test_says_why_and_until_when() -> None:
    pause = after_failure(after_failure(Pause(), "no", False, 0.0), "sbatch: error: QOS", False, 0.0)
    assert pause.hinders(1.0) == "paused until 00:00:02 UTC: sbatch: error: QOS (2 times in a row)"
    assert pause.hinders(2.0) == ""
    assert after_success().hinders(0.0) == ""
