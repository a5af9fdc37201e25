"""What counts as on its way, and for how long."""

import itertools
from pathlib import Path

import pytest

from barnstorm.model.shape import Shape
from barnstorm_harvester.roster import Roster
from barnstorm_harvester.store import Store, Worker

NOW = 10_000.0
names = itertools.count()


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return Roster(Store(tmp_path / "db"), "q")


def worker(state: str, **more: object) -> Worker:
    key = f"k{next(names)}"
    return Worker(key, "q", "all", Shape(), f"w-{key}", state, planned_at=NOW, **more)  # type: ignore[arg-type]


def phases(roster: Roster, now: float = NOW, version: int = 1) -> list[str]:
    return [one.phase for one in roster.supply(now, 600, version).workers]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (worker("intended"), []),
        (worker("planned"), []),  # it may be submitted again: no job waits for it yet
        (worker("submitting"), ["waiting"]),  # it may be there
        (worker("submitted"), ["waiting"]),
        (worker("running", started_at=NOW), ["starting"]),
        (worker("running", started_at=NOW, pilot="busy"), ["arrived"]),
        (worker("submitted", pilot="idle"), ["arrived"]),
        (worker("submitted", unknown_since=NOW - 601), ["silent"]),
        (worker("submitted", unknown_since=NOW - 599), ["waiting"]),
        (worker("running", started_at=NOW - 601), ["silent"]),  # its pilot never came
        (worker("finished"), []),
        (worker("lost"), []),
    ],
)
def test_phase(roster: Roster, one: Worker, expected: list[str]) -> None:
    roster.save([one])
    assert phases(roster) == expected


def test_a_pilot_that_has_just_come_is_on_its_way_until_demand_shows_it(roster: Roster) -> None:
    one = worker("running", started_at=NOW)
    roster.save([one])
    roster.came(one, "idle", NOW, demand_version=1)
    assert phases(roster) == ["starting"]
    assert phases(roster, version=2) == ["arrived"]
    assert phases(roster, version=1) == ["arrived"], "and it does not leave again"


def test_or_until_a_moment_has_passed(roster: Roster) -> None:
    one = worker("running", started_at=NOW)
    roster.save([one])
    roster.came(one, "idle", NOW, demand_version=1)
    assert roster.settling()
    assert phases(roster, now=NOW + 3) == ["arrived"]
    assert not roster.settling()


def test_after_a_restart_a_busy_pilot_is_not_new(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    Roster(store, "q").save([worker("running", started_at=NOW)])
    again = Roster(store, "q")
    (one,) = again.live()
    again.came(one, "busy", NOW, demand_version=1)
    assert phases(again) == ["arrived"]


def test_the_pace_remembers_those_that_ended(roster: Roster) -> None:
    roster.save([worker("finished", submitted_at=NOW - 59), worker("failed", submitted_at=NOW - 61)])
    roster.save([worker("running", submitted_at=NOW - 5), worker("running", submitted_at=NOW - 500)])
    assert roster.supply(NOW, 600, 1).new_last_minute("all") == 2


def test_it_is_what_is_on_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    first = Roster(store, "q")
    one = worker("submitted")
    first.save([one])
    one.state = "running"
    first.save([one])
    assert [other.state for other in Roster(store, "q").live()] == ["running"]
    assert Roster(store, "another").live() == []
