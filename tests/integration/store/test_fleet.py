"""Pilots' registration, harvesters, their workers, queues and marks."""

import pytest

from barnstorm.model.marks import Mark
from barnstorm.model.pilots import PilotHello
from barnstorm.model.queue import QueueConfig
from barnstorm.model.shape import Shape
from barnstorm.model.workers import Decision, DemandPart, HarvesterHello, WorkerPlan, WorkerReport
from barnstorm_server.agents.watchdog import AFTER_WORKER_S, JUMP_S, Watchdog
from barnstorm_server.commands.pilots import Hello
from barnstorm_server.commands.queues import KEPT_DECISIONS, AddMark, PutDemand, PutQueue, TakeMark
from barnstorm_server.commands.tokens import NewToken, RecordBlob, RecordTokens, RevokeToken
from barnstorm_server.commands.workers import LEASE_S as SERVED_S
from barnstorm_server.commands.workers import HarvesterBeat, KillWorker, PlanWorkers, ReportWorkers
from barnstorm_server.store.errors import Conflict, Forbidden, NotFound
from barnstorm_server.store.read_fleet import decisions, demand_of, harvester_workers, thing

from .world import LEASE_S, World

SHAPE = Shape(cores=8)


def serve(world: World, name: str = "edge", allowed: tuple[str, ...] = (), **hello: object) -> list[str]:
    """A harvester's heartbeat; the queues it serves."""
    told = HarvesterHello(**hello)  # type: ignore[arg-type]
    return [queue.name for queue in world.do(HarvesterBeat(name, told, allowed, world.catalog)).queues]


def plan(world: World, *keys: str, queue: str = "q", harvester: str = "edge") -> list[tuple[str, int]]:
    return world.do(PlanWorkers(queue, harvester, [WorkerPlan(key, "all", SHAPE) for key in keys]))


def say(world: World, worker: int, state: str, harvester: str = "edge", **more: object) -> dict[str, object]:
    """One report on a worker; the server's word on it."""
    told = WorkerReport(f"w{worker}", state, **more)  # type: ignore[arg-type]
    return world.do(ReportWorkers(harvester, [told]))[0]


class TestRegistration:
    def join(self, world: World, uses: int = 1, jti: str = "j") -> None:
        world.do(RecordTokens("op", [NewToken(jti, "join", "w", world.now + 999, uses, "q")]))

    def test_a_repeat_with_the_same_key_is_the_same_pilot_and_uses_nothing(self, world: World) -> None:
        world.queue("q")
        self.join(world)
        hello = Hello(PilotHello("k", "q", SHAPE), "j", None)
        assert world.do(hello) == world.do(hello)

    def test_a_join_token_lets_in_so_many_and_no_more(self, world: World) -> None:
        world.queue("q")
        self.join(world, uses=2)
        for key in ("a", "b"):
            world.do(Hello(PilotHello(key, "q", SHAPE), "j", None))
        with pytest.raises(Forbidden, match="used as often"):
            world.do(Hello(PilotHello("c", "q", SHAPE), "j", None))

    def test_a_revoked_join_token_lets_in_nobody(self, world: World) -> None:
        world.queue("q")
        self.join(world)
        world.do(RevokeToken("j"))
        with pytest.raises(Forbidden):
            world.do(Hello(PilotHello("a", "q", SHAPE), "j", None))

    def test_a_join_token_that_is_in_no_list_counts_its_uses_all_the_same(self, world: World) -> None:
        """An administrator may have made it beside the server."""
        world.queue("q")
        jti = "ab" * 12
        for key in ("a", "b"):
            world.do(Hello(PilotHello(key, "q", SHAPE), jti, None, 2, world.now + 999))
        with pytest.raises(Forbidden):
            world.do(Hello(PilotHello("c", "q", SHAPE), jti, None, 2, world.now + 999))

    def test_one_that_was_revoked_before_its_first_use_lets_in_nobody(self, world: World) -> None:
        world.queue("q")
        jti = "ab" * 12
        world.do(RevokeToken(jti))
        with pytest.raises(Forbidden):
            world.do(Hello(PilotHello("a", "q", SHAPE), jti, None, 2, world.now + 999))

    def test_another_workers_pilot_is_not_to_be_had_by_its_key(self, world: World) -> None:
        world.queue("q")
        (_, first), (_, second) = plan(world, "1", "2")
        self.join(world, 1, "j1")
        self.join(world, 1, "j2")
        world.do(Hello(PilotHello("k", "q", SHAPE), "j1", first))
        with pytest.raises(Conflict, match="another pilot's"):
            world.do(Hello(PilotHello("k", "q", SHAPE), "j2", second))
        with pytest.raises(Conflict, match="another pilot's"):
            world.do(Hello(PilotHello("k", "r", SHAPE), "j2", None))

    def test_a_pilot_makes_its_worker_run(self, world: World) -> None:
        world.queue("q")
        ((_, worker),) = plan(world, "1")
        self.join(world)
        world.do(Hello(PilotHello("k", "q", SHAPE, node="n7"), "j", worker))
        row = world.row("SELECT state, node, started_at FROM workers")
        assert tuple(row) == ("running", "n7", world.now)

    def test_a_worker_of_another_queue_is_refused(self, world: World) -> None:
        world.queue("q")
        world.queue("r")
        ((_, worker),) = plan(world, "1", queue="r")
        self.join(world)
        with pytest.raises(NotFound):
            world.do(Hello(PilotHello("k", "q", SHAPE), "j", worker))


class TestHarvesters:
    def test_one_harvester_at_a_time_serves_a_queue(self, world: World) -> None:
        world.queue("q")
        assert serve(world, "edge") == ["q"]
        assert serve(world, "other") == []
        world.later(SERVED_S - 1)
        assert serve(world, "edge") == ["q"]
        world.later(SERVED_S + 1)
        assert serve(world, "other") == ["q"]
        assert serve(world, "edge") == []

    def test_a_stopping_harvester_lets_go_at_once(self, world: World) -> None:
        world.queue("q")
        serve(world, "edge")
        assert serve(world, "edge", stopping=True) == []
        assert serve(world, "other") == ["q"]

    def test_a_queue_that_names_its_harvester_goes_to_no_other(self, world: World) -> None:
        world.queue("q", harvester="edge")
        assert serve(world, "other") == []
        assert serve(world, "edge") == ["q"]

    def test_a_token_for_some_queues_serves_only_those(self, world: World) -> None:
        world.queue("q")
        world.queue("r")
        assert serve(world, "edge", ("r",)) == ["r"]

    def test_decisions_are_kept_newest_first_and_only_the_last_ones(self, world: World) -> None:
        world.queue("q")
        for number in range(KEPT_DECISIONS + 5):
            serve(world, decisions={"q": [Decision("all", number, "because")], "elsewhere": [Decision("all", 1)]})
        with world.reading() as connection:
            found = decisions(connection, "q", 1000)
        assert len(found) == KEPT_DECISIONS
        assert found[0]["change"] == KEPT_DECISIONS + 4

    def test_a_wish_to_end_a_worker_is_told_until_it_ended(self, world: World) -> None:
        world.queue("q")
        serve(world)
        ((_, worker),) = plan(world, "1")
        world.do(KillWorker(worker, "stuck"))
        orders = HarvesterBeat("edge", HarvesterHello(), (), world.catalog)
        assert world.do(orders).kill == [f"w{worker}"]
        say(world, worker, "cancelled")
        assert world.do(orders).kill == []


class TestWorkers:
    def test_a_known_key_gives_its_worker(self, world: World) -> None:
        world.queue("q")
        first = plan(world, "a", "b")
        assert plan(world, "b", "a", "b") == [first[1], first[0], first[1]]
        assert plan(world, "a", harvester="other") != first[:1]

    def test_nobody_plans_for_a_queue_that_another_serves(self, world: World) -> None:
        world.queue("q")
        serve(world, "edge")
        with pytest.raises(Conflict, match="served by harvester edge"):
            plan(world, "a", harvester="other")
        with pytest.raises(NotFound):
            plan(world, "a", queue="nowhere")

    def test_a_state_never_goes_back(self, world: World) -> None:
        world.queue("q")
        ((_, worker),) = plan(world, "a")
        assert say(world, worker, "running")["state"] == "running"
        assert say(world, worker, "submitted")["state"] == "running"
        assert say(world, worker, "finished")["state"] == "finished"
        assert say(world, worker, "finished")["status"] == "repeated"
        assert say(world, worker, "running")["status"] == "stale"
        assert world.row("SELECT state FROM workers").state == "finished"

    @pytest.mark.parametrize("state", ["planned", "submitted", "running"])
    def test_unknown_is_a_mark_beside_the_state_and_never_a_failure(self, world: World, state: str) -> None:
        world.queue("q")
        ((_, worker),) = plan(world, "a")
        say(world, worker, state)
        say(world, worker, state, unknown=True)
        row = world.row("SELECT state, unknown, ended_at FROM workers")
        assert (row.state, bool(row.unknown), row.ended_at) == (state, True, None)

    def test_another_harvesters_word_does_not_count(self, world: World) -> None:
        world.queue("q")
        ((_, worker),) = plan(world, "a")
        assert say(world, worker, "failed", harvester="other")["status"] == "stale"
        assert say(world, worker + 1, "failed")["status"] == "stale"
        assert world.row("SELECT state FROM workers").state == "planned"

    def test_its_pilots_state_is_told(self, world: World) -> None:
        world.queue("q")
        ((_, worker),) = plan(world, "a")
        assert say(world, worker, "running")["pilot"] is None
        pilot = world.pilot(worker=worker)
        assert say(world, worker, "running")["pilot"] == "idle"
        with world.reading() as connection:
            items, _ = harvester_workers(connection, "edge", True, None, 10)
        assert items[0]["pilot"] == {"id": f"p{pilot}", "state": "idle"}


class TestQueues:
    def test_the_same_description_again_is_no_new_version(self, world: World) -> None:
        for config, version in ((QueueConfig("q"), 1), (QueueConfig("q"), 1), (QueueConfig("q", site="S"), 2)):
            world.do(PutQueue(config, "op"))
            assert world.row("SELECT version FROM queues").version == version

    def test_a_mark_is_put_once_and_taken_off(self, world: World) -> None:
        world.queue("q")
        first = world.do(AddMark("q", "k", Mark("draining", "downtime", "ada")))
        assert world.do(AddMark("q", "k", Mark("offline"))) == first
        world.do(TakeMark("q", first.id))
        with pytest.raises(NotFound):
            world.do(TakeMark("q", first.id))
        with pytest.raises(NotFound):
            world.do(AddMark("nowhere", "k2", Mark("offline")))

    def test_the_key_of_another_queues_mark_is_refused(self, world: World) -> None:
        world.queue("q")
        world.queue("r")
        world.do(AddMark("q", "k", Mark("draining")))
        with pytest.raises(Conflict, match="a mark on q"):
            world.do(AddMark("r", "k", Mark("draining")))

    def test_demand_has_a_new_version_only_where_it_changed(self, world: World) -> None:
        world.queue("q")
        world.queue("r")
        parts = [DemandPart("all", SHAPE, 3)]
        for expected, q in ((1, parts), (1, parts), (2, [])):
            world.do(PutDemand({"q": q, "r": []}))
            with world.reading() as connection:
                assert demand_of(connection, "q")[0] == expected
                assert demand_of(connection, "r")[0] == 1


def test_bytes_may_have_several_owners(world: World) -> None:
    for owner in ("ada", "bob", "ada"):
        world.do(RecordBlob("ab" * 32, owner, 3))
    assert world.row("SELECT count(*) AS n FROM blobs").n == 2


def test_a_token_in_no_list_can_be_revoked_by_its_id(world: World) -> None:
    world.do(RevokeToken("cd" * 12))
    with world.reading() as connection:
        assert thing(connection, "token", "cd" * 12)["revoked_at"] == world.now
    with pytest.raises(NotFound):
        world.do(RevokeToken("not an id"))


class TestTheWatchdog:
    """It counts only silence that a server was there to hear, by the store's clock."""

    class Steady:
        now = 1000.0

        def __call__(self) -> float:
            return self.now

    def dog(self, world: World) -> tuple[Watchdog, "TestTheWatchdog.Steady"]:
        steady = self.Steady()
        dog = Watchdog(world.dispatch, steady)
        self.lost(world, dog)
        return dog, steady

    def lost(self, world: World, dog: Watchdog) -> list[int]:
        with world.reading() as connection:
            return [command.pilot for command in dog.lost(connection, world.now)]

    def pass_by(self, world: World, dog: Watchdog, steady: "TestTheWatchdog.Steady", seconds: float) -> None:
        """Time, with a look each second."""
        for _ in range(int(seconds)):
            world.later(1)
            steady.now += 1
            self.lost(world, dog)

    def test_a_pilot_silent_for_a_whole_lease_is_lost(self, world: World) -> None:
        pilot = world.pilot()
        dog, steady = self.dog(world)
        self.pass_by(world, dog, steady, LEASE_S)
        assert self.lost(world, dog) == []
        self.pass_by(world, dog, steady, 1)
        assert self.lost(world, dog) == [pilot]

    def test_an_outage_of_the_server_is_nobodys_silence(self, world: World) -> None:
        world.pilot()
        world.later(10 * LEASE_S)
        dog, steady = self.dog(world)  # the server starts again
        assert self.lost(world, dog) == []
        self.pass_by(world, dog, steady, LEASE_S - 1)
        assert self.lost(world, dog) == []
        self.pass_by(world, dog, steady, 2)
        assert len(self.lost(world, dog)) == 1

    @pytest.mark.parametrize("jump", [3600.0, JUMP_S + 1])
    def test_a_clock_that_jumps_makes_nobody_silent(self, world: World, jump: float) -> None:
        world.pilot()
        dog, steady = self.dog(world)
        self.pass_by(world, dog, steady, LEASE_S - 5)
        world.later(jump)  # and no time went by
        assert self.lost(world, dog) == []
        self.pass_by(world, dog, steady, LEASE_S - 5)
        assert self.lost(world, dog) == []

    def test_neither_does_a_server_that_was_stopped_for_a_while(self, world: World) -> None:
        world.pilot()
        dog, steady = self.dog(world)
        world.later(1000)
        steady.now += 1000
        assert self.lost(world, dog) == []

    def test_the_end_of_its_worker_shortens_the_wait(self, world: World) -> None:
        world.queue("q")
        ((_, worker),) = plan(world, "a")
        pilot = world.pilot(worker=worker)
        dog, steady = self.dog(world)
        say(world, worker, "failed")
        self.pass_by(world, dog, steady, AFTER_WORKER_S - 1)
        assert self.lost(world, dog) == []
        self.pass_by(world, dog, steady, 2)
        assert self.lost(world, dog) == [pilot]

    def test_a_pilot_that_is_still_heard_outlives_the_word_that_its_worker_ended(self, world: World) -> None:
        """The batch system's word is not taken for truth while the pilot itself speaks."""
        world.queue("q")
        ((_, worker),) = plan(world, "a")
        pilot = world.pilot(worker=worker)
        dog, steady = self.dog(world)
        say(world, worker, "failed")
        for _ in range(5):
            self.pass_by(world, dog, steady, AFTER_WORKER_S - 1)
            world.beat(pilot)
            assert self.lost(world, dog) == []
