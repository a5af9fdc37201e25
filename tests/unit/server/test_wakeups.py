"""Who is woken by what: as many pilots as there are jobs, the longest-waiting first, each once for one commit."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from barnstorm.model.shape import Shape
from barnstorm_server.store.transaction import Committed
from barnstorm_server.wakeups import PilotLine, Wakeups


class Line:
    """A line with pilots 1, 2, 3, … of one queue waiting in it."""

    def __init__(self, stack: ExitStack, pilots: int = 4) -> None:
        self.line = PilotLine()
        self.events: dict[int, asyncio.Event] = {}
        self._stack = stack
        for pilot in range(1, pilots + 1):
            self.join(pilot)

    def join(self, pilot: int, queue: str = "q") -> None:
        self.events[pilot] = self._stack.enter_context(self.line.heard(queue, pilot, Shape()))

    def look(self, *pilots: int) -> None:
        """These pilots look, as a woken one does."""
        for pilot in pilots:
            self.events[pilot].clear()

    @property
    def woken(self) -> list[int]:
        return [pilot for pilot, event in self.events.items() if event.is_set()]


@pytest.fixture
def line() -> Iterator[Line]:
    with ExitStack() as stack:
        yield Line(stack)


def test_as_many_are_woken_as_there_are_jobs_the_longest_waiting_first(line: Line) -> None:
    line.line.wake(2)
    assert line.woken == [1, 2]


def test_those_that_are_awake_already_do_not_count_again(line: Line) -> None:
    line.line.wake(1)
    line.line.wake(2)
    assert line.woken == [1, 2, 3]


def test_each_queue_has_its_own_line(line: Line) -> None:
    line.join(9, "r")
    line.line.wake(1)
    assert line.woken == [1, 9]


def test_the_word_is_passed_on_to_each_once(line: Line) -> None:
    line.line.wake(1)
    for awake in (1, 2, 3, 4):
        assert line.woken == [awake]
        line.look(awake)
        line.line.pass_on("q")
    assert line.woken == []


def test_the_next_commit_wakes_them_again(line: Line) -> None:
    for _ in range(2):
        line.line.wake(4)
        assert line.woken == [1, 2, 3, 4]
        line.look(1, 2, 3, 4)


def test_who_comes_later_has_looked_for_himself(line: Line) -> None:
    line.line.wake(1)
    line.look(1, 2, 3, 4)
    line.join(5)
    for _ in range(3):
        line.line.pass_on("q")
    assert 5 not in line.woken


def test_who_leaves_without_having_looked_passes_it_on() -> None:
    with ExitStack() as stack:
        line = PilotLine()
        gone = ExitStack()
        gone.enter_context(line.heard("q", 1, Shape()))
        stays = stack.enter_context(line.heard("q", 2, Shape()))
        line.wake(1)
        assert not stays.is_set()
        gone.close()
        assert stays.is_set()


def test_a_pilot_that_asks_twice_waits_in_its_newer_place() -> None:
    line = PilotLine()
    with line.heard("q", 1, Shape(cores=1)) as older:
        with line.heard("q", 1, Shape(cores=2)) as newer:
            assert line.asking("q") == {1: Shape(cores=2)}
            line.wake(1)
            assert (older.is_set(), newer.is_set()) == (False, True)
            newer.clear()
        assert len(line) == 0
    assert len(line) == 0


def test_a_command_wakes_its_pilots_only(line: Line) -> None:
    line.line.wake_pilots({2, 4, 77})
    assert line.woken == [2, 4]


def test_passing_on_in_an_empty_line_is_nothing() -> None:
    PilotLine().pass_on("nowhere")


@pytest.mark.parametrize(
    ("what", "pilots", "events", "demand"),
    [
        (Committed(), 0, False, False),
        (Committed(leasable=2), 2, False, False),
        (Committed(queues=True), 3, False, False),
        (Committed(queues=True, leasable=1), 3, False, False),
        (Committed(events=True), 0, True, False),
        (Committed(new_demand=True), 0, False, True),
        (Committed(demand=True), 0, False, False),
        (Committed(pilots={2}), 1, False, False),
    ],
)
def test_a_commit_wakes_whom_it_concerns(what: Committed, pilots: int, events: bool, demand: bool) -> None:
    wakeups = Wakeups()
    with ExitStack() as stack:
        places = [stack.enter_context(wakeups.pilots.heard("q", number, Shape())) for number in (1, 2, 3)]
        event, asked = stack.enter_context(wakeups.events.heard()), stack.enter_context(wakeups.demand.heard())
        log = stack.enter_context(wakeups.log_heard(1, 0))
        wakeups.committed(what)
        assert sum(place.is_set() for place in places) == pilots
        assert (event.is_set(), asked.is_set(), log.is_set()) == (events, demand, events)


def test_a_stopping_server_wakes_everybody() -> None:
    wakeups = Wakeups()
    with ExitStack() as stack:
        heard = [
            stack.enter_context(wakeups.pilots.heard("q", 1, Shape())),
            stack.enter_context(wakeups.events.heard()),
            stack.enter_context(wakeups.demand.heard()),
            stack.enter_context(wakeups.log_heard(1, 0)),
        ]
        wakeups.stop()
        assert all(event.is_set() for event in heard)
        assert wakeups.is_stopping


def test_bells_of_logs_that_nobody_hears_are_put_away() -> None:
    wakeups = Wakeups()
    with wakeups.log_heard(1, 0) as first, wakeups.log_heard(1, 0) as second:
        wakeups.log_grown(1, 0)
        assert first.is_set()
        assert second.is_set()
    assert wakeups.logs == {}
    wakeups.log_grown(1, 0)
