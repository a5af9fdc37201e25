"""The loops: woken, paced, and never ended by their own errors or by one command's."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.waiting import wait_for

from barnstorm_server.agents.crew import Crew
from barnstorm_server.agents.loop import Agent
from barnstorm_server.store.errors import Busy


@pytest.fixture
def run() -> Iterator[Callable[..., Agent]]:
    started: list[Agent] = []

    def start(round: Callable[[], None], every_s: float = 60.0) -> Agent:
        agent = Agent("test", round, every_s)
        started.append(agent)
        agent.start()
        return agent

    yield start
    for agent in started:
        agent.stop()


def test_a_woken_agent_does_a_round_at_once(run: Callable[..., Agent]) -> None:
    agent = run(lambda: None)
    agent.wake()
    wait_for(lambda: agent.rounds == 1, "a round")
    agent.wake()
    wait_for(lambda: agent.rounds == 2, "another round")
    assert agent.alive


def test_without_being_woken_it_comes_by_itself(run: Callable[..., Agent]) -> None:
    agent = run(lambda: None, every_s=0.01)
    wait_for(lambda: agent.rounds >= 3, "some rounds")


def test_an_error_is_seen_and_the_next_round_comes_all_the_same(run: Callable[..., Agent]) -> None:
    errors = [ZeroDivisionError("first"), KeyError("second")]

    def round() -> None:
        if errors:
            raise errors.pop(0)

    agent = run(round)
    agent.wake()
    wait_for(lambda: agent.failures == 1, "the first failure")
    agent.wake()
    wait_for(lambda: agent.failures == 2, "the second failure")
    agent.wake()
    wait_for(lambda: agent.rounds == 1, "a good round")
    assert agent.failures == 0
    assert agent.alive


def test_a_wake_during_a_round_is_not_lost(run: Callable[..., Agent]) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def round() -> None:
        inside.set()
        go_on.wait(30)

    agent = run(round)
    agent.wake()
    assert inside.wait(30)
    agent.wake()
    go_on.set()
    wait_for(lambda: agent.rounds == 2, "the round that was asked for meanwhile")


class Writer:
    """Does commands that are functions."""

    def do(self, command: Callable[[], Any]) -> Any:
        return command()


class Services:
    writer = Writer()
    dispatch = None

    def __init__(self) -> None:
        self.listeners: list[Any] = []
        self.health: dict[str, Any] = {}


def fail() -> None:
    raise ZeroDivisionError


def busy() -> None:
    raise Busy("no room")


def test_one_command_that_fails_does_not_keep_others_from_their_turn() -> None:
    crew = Crew(Services())  # type: ignore[arg-type]
    assert [crew._do(command) for command in (lambda: 1, fail, lambda: 2)] == [1, None, 2]  # type: ignore[arg-type]


def test_a_full_queue_ends_the_round() -> None:
    crew = Crew(Services())  # type: ignore[arg-type]
    with pytest.raises(Busy):
        crew._do(busy)  # type: ignore[arg-type]
