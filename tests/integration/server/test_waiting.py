"""Long polls: who waits is answered when there is something, whoever else waits with him, and when the server stops."""

import socket
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import pytest
from tests.services.server import Server
from tests.waiting import wait_for

from barnstorm.model.shape import Needs, Shape
from barnstorm.model.workers import HarvesterHello

from .cast import BIG, Cast, FakePilot, array

T = TypeVar("T")

LONG_S = 50.0  # nobody waits so long: an answer that comes only then is one that nothing woke


class Waiting(Generic[T]):
    """A call in a thread of its own."""

    def __init__(self, server: Server, call: Callable[[], T]) -> None:
        self._server, self._call = server, call
        self._answers: list[T] = []
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answers.append(self._call())
        except BaseException as error:  # noqa: BLE001 - told by `answer`
            self._errors.append(error)
        finally:
            self._server.hang_up()

    @property
    def is_waiting(self) -> bool:
        return self._thread.is_alive()

    def answer(self, within_s: float = 20.0) -> T:
        """What it was answered, well before its time was over."""
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "nothing woke it"
        assert not self._errors, self._errors
        return self._answers[0]


def asking(cast: Cast, pilots: int = 1) -> None:
    """Wait until so many pilots of the test's queue wait for work."""

    def seen() -> bool:
        room = cast.server.ask("GET", f"/v1/queues/{cast.queue}/demand", cast.ada_token).json["room"]
        return bool(sum(one["pilots"] for one in room) == pilots)

    wait_for(seen, f"{pilots} pilots to wait")


def waiting_lease(cast: Cast, pilot: FakePilot, **request: Any) -> "Waiting[list[str]]":
    return Waiting(cast.server, lambda: [grant.attempt for grant in pilot.lease(wait_s=LONG_S, **request).grants])


class TestLeases:
    def test_a_waiting_pilot_gets_what_is_submitted(self, cast: Cast) -> None:
        pilot = cast.pilot()
        lease = waiting_lease(cast, pilot)
        asking(cast)
        task = cast.submit()
        assert lease.answer() == [f"{task}.0/1"]

    def test_several_waiting_pilots_share_what_is_submitted(self, cast: Cast) -> None:
        leases = [waiting_lease(cast, cast.pilot()) for _ in range(4)]
        asking(cast, 4)
        task = cast.submit(over=array(4))
        granted = sorted(attempt for lease in leases for attempt in lease.answer())
        assert granted == [f"{task}.{index}/1" for index in range(4)]

    def test_one_that_cannot_take_the_job_does_not_keep_it_from_one_that_can(self, cast: Cast) -> None:
        small, big = cast.pilot(), cast.pilot()
        first = waiting_lease(cast, small, free=Shape(cores=1, memory_mib=4000))
        asking(cast, 1)
        second = waiting_lease(cast, big, free=BIG)
        asking(cast, 2)
        task = cast.submit(needs=Needs(cores=4))
        assert second.answer() == [f"{task}.0/1"]
        assert first.is_waiting
        little = cast.submit()
        assert first.answer() == [f"{little}.0/1"]

    def test_one_that_hung_up_does_not_keep_it_from_one_that_waits(self, cast: Cast) -> None:
        gone, stays = cast.pilot(), cast.pilot()
        where = urlsplit(cast.server.url)
        line = socket.create_connection((where.hostname, where.port))
        body = b'{"free":{"cores":8,"memory_mib":64000,"disk_mib":100000},"wait_s":50}'
        head = (
            f"POST /v1/pilots/{gone.id}/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gone.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        line.sendall(head.encode() + body)
        asking(cast, 1)
        lease = waiting_lease(cast, stays)
        asking(cast, 2)
        line.close()
        task = cast.submit()
        assert lease.answer() == [f"{task}.0/1"]

    def test_what_an_upstream_task_lets_go_wakes_too(self, cast: Cast) -> None:
        pilot, other = cast.pilot(), cast.pilot()
        first = cast.submit()
        attempt = pilot.grant()
        merge = cast.submit(after=[first])
        lease = waiting_lease(cast, other)
        asking(cast)
        pilot.report(attempt)
        assert lease.answer() == [f"{merge}.0/1"]

    def test_another_try_wakes_too(self, cast: Cast) -> None:
        pilot, other = cast.pilot(), cast.pilot()
        task = cast.submit(retries=1)
        attempt = pilot.grant()
        lease = waiting_lease(cast, other)
        asking(cast)
        pilot.report(attempt, "failed", fault="exit")
        assert lease.answer() == [f"{task}.0/2"]

    def test_a_mark_that_is_taken_off_wakes_too(self, cast: Cast) -> None:
        pilot = cast.pilot()
        mark = cast.admin.mark(cast.queue, "paused")
        task = cast.submit()
        lease = waiting_lease(cast, pilot)
        asking(cast)
        cast.admin.unmark(cast.queue, mark["id"])
        assert lease.answer() == [f"{task}.0/1"]

    def test_a_kill_reaches_a_pilot_that_waits_with_room_for_more(self, cast: Cast) -> None:
        pilot = cast.pilot()
        task = cast.submit()
        attempt = pilot.grant()
        lease = Waiting(cast.server, lambda: pilot.lease(wait_s=LONG_S, held=[attempt]).commands)
        asking(cast)
        cast.ada.kill([str(task)])
        (command,) = lease.answer()
        assert (command.verb, command.attempt) == ("kill", attempt)

    @pytest.mark.parametrize("request_", [{"max": 0}, {"reports": [{"attempt": "1.0/1", "state": "succeeded"}]}])
    def test_a_call_without_room_or_with_reports_never_waits(self, cast: Cast, request_: dict[str, Any]) -> None:
        pilot = cast.pilot()
        body = {"free": {}, "wait_s": LONG_S, **request_}
        said = cast.server.ask("POST", f"/v1/pilots/{pilot.id}/lease", pilot.token, body, timeout_s=20)
        assert said.status == 200


class TestEvents:
    def test_an_event_answers_who_waits_for_it(self, cast: Cast) -> None:
        at = cast.ada.events(-1, wait_s=0)["next"]
        events = Waiting(cast.server, lambda: cast.ada.events(at, wait_s=LONG_S))
        task = cast.submit()
        told = events.answer()
        assert told["items"][0]["task"] == task
        assert told["next"] >= told["items"][-1]["id"]

    def test_all_of_a_tasks_life_is_told_in_order_and_once(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        pilot.beat(attempt, state="running")
        pilot.report(attempt)
        told, at = [], 0
        while page := cast.ada.events(at, task=task, wait_s=0, limit=2)["items"]:
            told += [(one["kind"], one["state"]) for one in page]
            at = page[-1]["id"]
        assert told == [
            ("task", "registered"),
            ("task", "ready"),
            ("task", "running"),
            ("job", "running"),
            ("job", "finished"),
            ("task", "finished"),
        ]

    def test_others_events_in_between_do_not_hide_ones_own(self, cast: Cast) -> None:
        at = cast.ada.events(-1, wait_s=0)["next"]
        for _ in range(3):
            theirs = int(cast.bob.submit(cast.spec())["id"])
        mine = cast.submit()
        told = cast.server.ask("GET", f"/v1/events?after={at}&limit=1&wait_s={LONG_S}", cast.ada_token, timeout_s=20)
        assert [one["task"] for one in told.json["items"]] == [mine]
        cast.bob.kill([str(theirs)])

    def test_from_now_on_means_from_now_on(self, cast: Cast) -> None:
        cast.submit()
        told = cast.ada.events(-1, wait_s=0)
        assert told["items"] == []
        assert cast.ada.events(told["next"], wait_s=0)["items"] == []


class TestLogs:
    def test_who_follows_a_log_gets_each_piece_as_it_comes(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        job = f"{task}.0"
        followed, offset = b"", 0
        for piece in (b"first line\n", b"second line\n", b"third"):
            at = offset
            following = Waiting(cast.server, lambda at=at: cast.ada.log(job, offset=at, wait_s=LONG_S))  # type: ignore[misc]
            path = f"/v1/jobs/{job}/attempts/1/log/stdout?offset={offset}"
            assert cast.server.ask("PUT", path, pilot.token, piece).json == {"offset": offset + len(piece)}
            chunk = following.answer()
            assert (chunk.data, chunk.offset, chunk.attempt, chunk.complete) == (piece, offset, 1, False)
            followed, offset = followed + chunk.data, offset + len(chunk.data)
        following = Waiting(cast.server, lambda: cast.ada.log(job, offset=offset, wait_s=LONG_S))
        pilot.report(attempt)
        last = following.answer()
        assert (last.data, last.complete) == (b"", True)
        assert followed == b"first line\nsecond line\nthird"

    def test_a_log_that_nobody_has_begun_can_be_waited_for(self, cast: Cast) -> None:
        task = cast.submit()
        following = Waiting(cast.server, lambda: cast.ada.log(f"{task}.0", wait_s=LONG_S))
        pilot = cast.pilot()
        attempt = pilot.grant()
        number = attempt.partition("/")[2]
        cast.server.ask("PUT", f"/v1/jobs/{task}.0/attempts/{number}/log/stdout?offset=0", pilot.token, b"hello")
        chunk = following.answer()
        assert (chunk.data, chunk.attempt) == (b"hello", 1)

    def test_the_log_of_a_job_that_never_ran_is_complete(self, cast: Cast) -> None:
        task = cast.submit()
        following = Waiting(cast.server, lambda: cast.ada.log(f"{task}.0", wait_s=LONG_S))
        cast.ada.kill([str(task)])
        assert following.answer().complete

    def test_the_log_of_a_killed_job_ends_with_its_payload(self, cast: Cast) -> None:
        """The job is over at once, but what its payload says to its end is followed."""
        pilot, task = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        cast.ada.kill([str(task)])
        following = Waiting(cast.server, lambda: cast.ada.log(f"{task}.0", wait_s=LONG_S))
        path = f"/v1/jobs/{task}.0/attempts/1/log/stdout?offset=0"
        cast.server.ask("PUT", path, pilot.token, b"cleaning up\n")
        chunk = following.answer()
        assert (chunk.data, chunk.complete) == (b"cleaning up\n", False)
        following = Waiting(cast.server, lambda: cast.ada.log(f"{task}.0", offset=12, wait_s=LONG_S))
        pilot.report(attempt, "cancelled")
        assert following.answer().complete


class TestDemand:
    def edge(self, cast: Cast) -> Any:
        edge = cast.server.harvester(f"edge-{cast.name}", cast.queue)
        edge.heartbeat(HarvesterHello())
        return edge

    def settled(self, cast: Cast, edge: Any, jobs: int) -> Any:
        """The demand once brokerage has seen so many jobs."""

        def seen() -> Any:
            found = edge.demand(cast.queue)
            return found if sum(part.jobs for part in found.parts) == jobs else None

        return wait_for(seen, f"a demand of {jobs} jobs")

    def test_who_waits_for_another_demand_gets_it(self, cast: Cast) -> None:
        edge = self.edge(cast)
        before = self.settled(cast, edge, 0)
        waiting = Waiting(cast.server, lambda: edge.demand(cast.queue, before.version, LONG_S))
        cast.submit(over=array(3))
        told = waiting.answer()
        assert told.version != before.version
        assert self.settled(cast, edge, 3).parts[0].jobs == 3

    def test_a_mark_is_news_to_a_harvester(self, cast: Cast) -> None:
        edge = self.edge(cast)
        before = self.settled(cast, edge, 0)
        waiting = Waiting(cast.server, lambda: edge.demand(cast.queue, before.version, LONG_S))
        cast.admin.mark(cast.queue, "draining", "downtime")
        assert waiting.answer().status == "draining"

    def test_the_version_that_is_known_already_is_waited_for_to_change(self, cast: Cast) -> None:
        edge = self.edge(cast)
        cast.submit()
        known = self.settled(cast, edge, 1)
        again = edge.demand(cast.queue, -1, 0)
        assert again.version == known.version


def test_a_stopping_server_answers_those_who_wait(own_server: Callable[..., Server]) -> None:
    server = own_server()
    cast = Cast(server, "stop")
    pilot = cast.pilot()
    lease = waiting_lease(cast, pilot)
    asking(cast)
    events = Waiting(server, lambda: cast.ada.events(-1, wait_s=LONG_S))
    assert server.stop() == 0
    assert lease.answer() == []
    assert events.answer()["items"] == []
    assert not (server.data_dir / "server.url").exists()
    assert "Traceback" not in server.errors()
