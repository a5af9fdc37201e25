"""Pauses after failed submissions."""

from itertools import pairwise

from barnstorm_harvester.rules.backoff import EARLY_END, FOR_EVER, FOR_NOW, Kind, Pause, after_failure, after_success


def pauses(kind: Kind, number: int) -> list[float]:
    pause, found = Pause(), []
    for _ in range(number):
        pause = after_failure(pause, "no", kind, 1000.0)
        found.append(max(0.0, pause.until - 1000.0))
    return found


def test_longer_each_time_up_to_a_bound() -> None:
    assert pauses(FOR_NOW, 4) == [1, 2, 4, 8]
    assert pauses(FOR_NOW, 100)[-1] == 300
    assert pauses(FOR_EVER, 3) == [30, 60, 120]
    assert pauses(FOR_EVER, 100)[-1] == 900
    assert pauses(EARLY_END, 5) == [0, 0, 1, 2, 4]
    assert pauses(EARLY_END, 100)[-1] == 60
    for kind in (FOR_NOW, FOR_EVER, EARLY_END):
        assert all(one <= other for one, other in pairwise(pauses(kind, 60)))


def test_says_why_and_until_when() -> None:
    pause = after_failure(after_failure(Pause(), "no", FOR_NOW, 0.0), "sbatch: error: QOS", FOR_NOW, 0.0)
    assert pause.hinders(1.0) == "paused until 00:00:02 UTC: sbatch: error: QOS (2 times in a row)"
    assert pause.hinders(2.0) == ""
    assert after_success().hinders(0.0) == ""
