"""Any order of submissions, leases, reports, heartbeats, kills and losses leaves a store that adds up."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import text

from barnstorm.model.pilots import Heartbeat, HeldAttempt, Report
from barnstorm.model.shape import Needs
from barnstorm.model.states import ATTEMPT, JOB
from barnstorm_server.commands.heartbeat import Beat
from barnstorm_server.store.engine import Store
from barnstorm_server.store.errors import Invalid, NotFound
from barnstorm_server.store.tables import metadata

from .conftest import sqlite
from .world import HEARTBEAT_S, World, array

OWNERS = st.sampled_from(["ada", "bob"])
ENDS = st.sampled_from(["succeeded", "failed", "failed", "cancelled", "returned"])
FAULTS = st.sampled_from(["", "exit", "stage_in", "preempted"])
STATES = st.sampled_from(["leased", "starting", "running", "transferring"])


class Dispatcher(RuleBasedStateMachine):
    """One store, a few pilots of two queues (one of which isolates nothing), and users who do as they like."""

    tasks, pilots, attempts = Bundle("tasks"), Bundle("pilots"), Bundle("attempts")
    folder: Path
    store: Store

    @classmethod
    def open(cls) -> None:
        """One database for all runs: making a new one for each would take most of the time."""
        cls.folder = Path(tempfile.mkdtemp(prefix="bs-machine-"))
        cls.store = Store(sqlite(cls.folder))

    @classmethod
    def shut(cls) -> None:
        cls.store.close()
        shutil.rmtree(cls.folder)

    def __init__(self) -> None:
        super().__init__()
        with self.store.engine.connect() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(text(f"DELETE FROM {table.name}"))
            connection.execute(text("INSERT INTO outbox_head (one, last_id) VALUES (1, 0)"))
            connection.commit()
        self.world = World(self.store)
        self.job_ends: dict[tuple[int, int], str] = {}
        self.attempt_ends: dict[tuple[int, int, int], str] = {}
        self.numbers: dict[tuple[int, int], int] = {}

    def teardown(self) -> None:
        self.world.close()

    @initialize()
    def queues(self) -> None:
        self.world.queue("open", isolation="none")
        self.world.queue("closed", isolation="user")

    @rule(target=pilots, queue=st.sampled_from(["open", "closed"]))
    def a_pilot_comes(self, queue: str) -> int:
        return self.world.pilot(queue)

    @rule(
        target=tasks,
        owner=OWNERS,
        jobs=st.integers(1, 5),
        retries=st.integers(0, 2),
        memory_mib=st.sampled_from([1000, 2000]),
        priority=st.integers(0, 1),
        after=st.none() | tasks,
    )
    def a_task_is_submitted(
        self, owner: str, jobs: int, retries: int, memory_mib: int, priority: int, after: int | None
    ) -> Any:
        needs = Needs(memory_mib=memory_mib)
        wanted = [] if after is None else [after]
        try:
            return self.world.submit(
                owner, over=array(jobs), retries=retries, needs=needs, priority=priority, after=wanted
            )
        except Invalid:  # somebody else's task, or one that did not end well
            return multiple()

    @rule(
        target=attempts,
        pilot=pilots,
        most=st.integers(0, 3),
        ahead=st.integers(0, 2),
        is_lost=st.booleans(),
        told=st.lists(st.tuples(attempts, ENDS, FAULTS), max_size=3),
    )
    def a_pilot_asks_for_work(
        self, pilot: int, most: int, ahead: int, is_lost: bool, told: list[tuple[str, Any, str]]
    ) -> Any:
        """With reports on attempts that may be its own or not; its answer may get lost."""
        rows = self.world.rows("SELECT task_id, idx, number FROM attempts WHERE pilot_id = :id", id=pilot)
        held = [] if is_lost else [f"{row.task_id}.{row.idx}/{row.number}" for row in rows]
        reports = [Report(attempt, state, fault=fault) for attempt, state, fault in told]
        try:
            answer = self.world.lease(pilot, most, held=held, reports=reports, ahead=ahead)
        except NotFound:
            return multiple()
        assert len(answer.results) == len(reports)
        return multiple(*[grant.attempt for grant in answer.grants])

    @rule(pilot=pilots, named=st.lists(attempts, max_size=4), state=STATES, leaving=st.booleans())
    def a_pilot_is_heard(self, pilot: int, named: list[str], state: Any, leaving: bool) -> None:
        beat = Heartbeat(held=[HeldAttempt(attempt, state) for attempt in named], state="busy", leaving=leaving)
        try:
            self.world.do(Beat(pilot, beat, self.world.dispatch))
        except NotFound:
            assert self.world.pilot_row(pilot).ended_at is not None

    @rule(pilot=pilots)
    def a_pilot_falls_silent(self, pilot: int) -> None:
        self.world.lose(pilot)

    @rule(task=tasks, index=st.none() | st.integers(0, 4))
    def somebody_kills(self, task: int, index: int | None) -> None:
        try:
            self.world.kill(str(task) if index is None else f"{task}.{index}", owner=None)
        except NotFound:
            assert index is not None

    @rule(attempt=attempts)
    def somebody_kills_what_was_granted(self, attempt: str) -> None:
        self.world.kill(attempt.partition("/")[0], owner=None)

    @rule(attempt=attempts)
    def the_pilot_of_an_attempt_falls_silent(self, attempt: str) -> None:
        self.world.lose(self.world.attempt(attempt).pilot_id)

    @rule(seconds=st.sampled_from([1.0, HEARTBEAT_S + 1, 700.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.later(seconds)

    @rule()
    def the_agents_work(self) -> None:
        self.world.work()
        self.world.release_due()

    @invariant()
    def everything_adds_up(self) -> None:
        self.world.check()

    @invariant()
    def what_is_terminal_is_final(self) -> None:
        for row in self.world.rows("SELECT task_id, idx, state FROM jobs"):
            job = (row.task_id, row.idx)
            assert self.job_ends.get(job, row.state) == row.state
            if row.state in JOB.terminal:
                self.job_ends[job] = row.state
        for row in self.world.rows("SELECT task_id, idx, number, state FROM attempts"):
            attempt = (row.task_id, row.idx, row.number)
            assert self.attempt_ends.get(attempt, row.state) == row.state
            if row.state in ATTEMPT.terminal:
                self.attempt_ends[attempt] = row.state

    @invariant()
    def numbers_only_grow(self) -> None:
        for row in self.world.rows("SELECT task_id, idx, next_attempt FROM jobs"):
            assert row.next_attempt >= self.numbers.get((row.task_id, row.idx), 1)
            self.numbers[row.task_id, row.idx] = row.next_attempt

    @invariant()
    def one_owner_at_a_time_where_nothing_is_isolated(self) -> None:
        question = """SELECT pilot_id, count(DISTINCT owner) AS n FROM attempts
            WHERE queue = 'open' AND ended_at IS NULL GROUP BY pilot_id HAVING count(DISTINCT owner) > 1"""
        assert self.world.rows(question) == []


@pytest.mark.timeout(600)  # should it fail, the smallest way to it is looked for
def test_any_order_of_commands_leaves_a_store_that_adds_up() -> None:
    Dispatcher.open()
    try:
        run = Dispatcher.TestCase
        run.settings = settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        run("runTest").runTest()
    finally:
        Dispatcher.shut()
