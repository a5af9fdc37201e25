"""Every route with no token, a bad one, one of the wrong kind and somebody else's: driven by the tables themselves."""

import re
import time
from typing import Any, get_args

import pytest
from tests.services.server import Said, Server

from barnstorm.model.collection import FileIn
from barnstorm.model.pilots import Heartbeat, HeldAttempt, OutputFile
from barnstorm.model.shape import Shape
from barnstorm.model.workers import HarvesterHello, WorkerPlan, WorkersPlanned
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.policy import POLICIES
from barnstorm_server.auth.principal import Kind
from barnstorm_server.auth.tokens import TokenAuthority
from barnstorm_server.routes.table import CALLS, Call

from .cast import Cast, FakePilot, digest_of

KINDS: tuple[Kind, ...] = get_args(Kind)
DATA = b"an output"
PROTECTED = [call for call in CALLS if not POLICIES[call.method, call.path].public]
PUBLIC = [call for call in CALLS if call not in PROTECTED]


def name_of(value: object) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Call) else str(value)


each_protected = pytest.mark.parametrize("call", PROTECTED, ids=name_of)


class Things(Cast):
    """One of everything, all of it Ada's: what each path and body is filled with, and a token of each kind."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(server, name)
        self.harvester = f"edge-{name}"
        self.tokens: dict[Kind, str] = {
            "user": self.ada_token,
            "operator": server.operator,
            "site": server.token("site", f"site-{name}", queues=[self.queue]),
            "harvester": server.token("harvester", self.harvester, queues=[self.queue]),
            "join": self.join(uses=100_000),
        }
        edge = server.harvester(self.harvester, self.queue)
        edge.heartbeat(HarvesterHello())
        plans = WorkersPlanned(self.harvester, [WorkerPlan(self.key(), "all", Shape())])
        self.worker = edge.plan(self.queue, plans)[0].worker
        self.runner, self.other = self.pilot(), self.pilot()
        self.tokens["pilot"] = self.runner.token
        self.digest = digest_of(DATA)
        self.done = self.submit()
        attempt = self.runner.grant()
        self.upload(DATA)
        assert self.runner.report(attempt, outputs=[OutputFile("out/x", self.digest, len(DATA))]).status == "accepted"
        self.live = self.submit(inputs=[FileIn(f"blob:{self.digest}"), FileIn(f"task:{self.done}")])
        self.attempt = self.runner.grant()
        self.mark = self.admin.mark(self.queue, "online")["id"]
        self.jti = self.ada.issue_token(kind="user")["jti"]

    def values(self, call: Call) -> dict[str, object]:
        """What the path's parameters are filled with. A new parameter has to be added here."""
        _, _, number = self.attempt.partition("/")
        job = f"{self.done}.0"
        return {
            "task": self.done,
            "job": self.attempt.partition("/")[0] if "log/{stream}" in call.path else job,
            "name": "out/x" if "outputs" in call.path else self.harvester,
            "digest": self.digest,
            "queue": self.queue,
            "mark": self.mark,
            "jti": self.jti,
            "worker": self.worker,
            "pilot": self.runner.id,
            "number": number,
            "stream": "stdout",
        }

    def path(self, call: Call, as_pilot: bool = False) -> str:
        known = self.values(call)
        path = re.sub(r"{(\w+)(?::path)?}", lambda found: str(known[found[1]]), call.path)
        query = "?offset=0" if "log/{stream}" in call.path else ""
        return f"{path}?attempt={self.attempt}" if as_pilot and "attempt" in call.query else path + query

    def document(self) -> dict[str, object]:
        """A task that only this test's queue takes."""
        return {"payload": {"kind": "command", "argv": ["true"]}, "needs": {"tags": [self.tag]}}

    def body(self, call: Call, kind: Kind = "user") -> Any:
        """A body that is right for a call. A new route with a body has to be added here."""
        shape = {"cores": 1, "memory_mib": 100}
        bodies: dict[tuple[str, str], Any] = {
            ("POST", "/v1/tasks"): {"key": self.key(), "spec": self.document()},
            ("POST", "/v1/tasks/{task}/retry"): {"key": self.key(), "jobs": "0"},
            ("POST", "/v1/kill"): {"ids": [str(self.done)]},
            ("PUT", "/v1/blobs/{digest}"): DATA,
            ("PUT", "/v1/queues/{queue}"): self.admin.queue(self.queue)["config"],
            ("POST", "/v1/queues/{queue}/marks"): {"key": self.key(), "status": "online"},
            ("POST", "/v1/tokens"): {"kind": "join", "subject": "w", "queues": [self.queue]}
            if kind == "site"
            else {"kind": "user"},
            ("POST", "/v1/workers/{worker}/kill"): {"reason": "x"},
            ("POST", "/v1/harvesters/{name}/heartbeat"): {},
            ("POST", "/v1/harvesters/{name}/workers"): {"workers": []},
            ("POST", "/v1/queues/{queue}/workers"): {"harvester": self.harvester},
            ("POST", "/v1/pilots"): {"key": self.key(), "queue": self.queue, "shape": shape},
            ("POST", "/v1/pilots/{pilot}/lease"): {"free": shape, "max": 0, "held": [self.attempt]},
            ("POST", "/v1/pilots/{pilot}/heartbeat"): {"held": [{"attempt": self.attempt}]},
            ("PUT", "/v1/jobs/{job}/attempts/{number}/log/{stream}"): b"a line\n",
        }
        return None if call.method in ("GET", "HEAD", "DELETE") else bodies[call.method, call.path]


@pytest.fixture(scope="module")
def things(server: Server) -> Things:
    return Things(server, f"access{time.monotonic_ns()}")


def ask(things: Things, call: Call, token: str, kind: Kind = "user") -> Said:
    return things.server.ask(call.method, things.path(call, kind == "pilot"), token, things.body(call, kind))


def test_each_call_has_a_policy_and_each_policy_its_call() -> None:
    pages = {("GET", "/docs"), ("GET", "/openapi.json")}
    assert {(call.method, call.path) for call in CALLS} | pages == set(POLICIES)


@pytest.mark.parametrize("call", PUBLIC, ids=name_of)
def test_public_routes_need_no_token(things: Things, call: Call) -> None:
    assert ask(things, call, "").status == 200


@each_protected
class TestEachProtectedRoute:
    def refused(self, things: Things, call: Call, token: str, status: int, code: str) -> None:
        said = ask(things, call, token)
        assert said.status == status
        if call.method != "HEAD":
            assert said.code == code

    def test_no_token_is_unauthenticated(self, things: Things, call: Call) -> None:
        self.refused(things, call, "", 401, "unauthenticated")

    @pytest.mark.parametrize("token", ["garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ä", "x" * 20_000])
    def test_garbage_is_unauthenticated(self, things: Things, call: Call, token: str) -> None:
        sent = {"Authorization": f"Bearer {token}".encode()}
        said = things.server.ask(call.method, things.path(call), "", things.body(call), sent)  # type: ignore[arg-type]
        assert said.status == 401

    def test_a_scheme_that_is_not_bearer_is_unauthenticated(self, things: Things, call: Call) -> None:
        headers = {"Authorization": f"Basic {things.ada_token}"}
        assert things.server.ask(call.method, things.path(call), "", things.body(call), headers).status == 401

    def test_an_expired_token_is_unauthenticated(self, things: Things, call: Call) -> None:
        ring = KeyRing.open(things.server.data_dir)
        past = TokenAuthority(ring, lambda jti: False, clock=lambda: time.time() - 1000)
        kind = POLICIES[call.method, call.path].kinds[0]
        token = past.issue(kind, "ada", 100, queues=[things.queue], pilot=1 if kind == "pilot" else None).token
        self.refused(things, call, token, 401, "unauthenticated")

    def test_a_token_of_another_server_is_unauthenticated(
        self, things: Things, call: Call, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = TokenAuthority(KeyRing(tmp_path_factory.getbasetemp() / "other-keys"), lambda jti: False)
        kind = POLICIES[call.method, call.path].kinds[0]
        token = other.issue(kind, "ada", 100, queues=[things.queue], pilot=1 if kind == "pilot" else None).token
        self.refused(things, call, token, 401, "unauthenticated")

    def test_asking_for_the_headers_alone_needs_the_same_token(self, things: Things, call: Call) -> None:
        if call.method == "GET":
            assert things.server.ask("HEAD", things.path(call)).status == 401

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_token_of_a_kind_that_the_policy_does_not_name_is_denied_and_others_are_not(
        self, things: Things, call: Call, kind: Kind
    ) -> None:
        if kind not in POLICIES[call.method, call.path].kinds:
            self.refused(things, call, things.tokens[kind], 403, "denied")
        else:
            said = ask(things, call, things.tokens[kind], kind)
            assert said.status not in (401, 403), said
            assert said.status < 500, said


SCOPES = {(call, kind): scope for call in PROTECTED for kind, scope in POLICIES[call.method, call.path].scopes.items()}
# Whoever has the bytes of a blob may bring them too.
OWN = [
    call
    for (call, kind), scope in SCOPES.items()
    if scope == "own" and "{" in call.path and (call.method, call.path) != ("PUT", "/v1/blobs/{digest}")
]


@pytest.mark.parametrize("call", OWN, ids=name_of)
def test_what_is_another_users_is_not_found(things: Things, call: Call) -> None:
    """And not told apart from what is not there."""
    if "{jti}" in call.path:
        things.jti = things.ada.issue_token(kind="user")["jti"]
    said = ask(things, call, things.bob_token)
    assert said.status == 404
    if call.method != "HEAD":
        assert said.code == "not_found"
    assert ask(things, call, things.ada_token).status in (200, 201, 204)


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/jobs", "/v1/tokens"])
def test_lists_hold_nothing_of_another_user(things: Things, path: str) -> None:
    mine = things.server.ask("GET", path, things.ada_token).json["items"]
    assert mine
    assert things.server.ask("GET", path, things.bob_token).json["items"] == []


def test_events_are_ones_own(things: Things) -> None:
    assert things.ada.events(0, wait_s=0, limit=1000)["items"]
    assert things.bob.events(0, wait_s=0, limit=1000)["items"] == []
    assert things.server.ask("GET", f"/v1/events?after=0&task={things.done}", things.bob_token).status == 404


def test_a_kill_of_anothers_work_is_refused(things: Things) -> None:
    for one in (str(things.live), f"{things.live}.0"):
        said = things.server.ask("POST", "/v1/kill", things.bob_token, {"ids": [one]})
        assert (said.status, said.code) == (404, "not_found")
    assert things.ada.job(f"{things.live}.0")["state"] == "sent"


def test_a_kill_of_several_is_refused_whole_if_one_is_not_there(things: Things) -> None:
    mine = things.submit()
    said = things.server.ask("POST", "/v1/kill", things.ada_token, {"ids": [str(mine), "999999"]})
    assert said.status == 404
    assert things.ada.task(mine)["state"] == "ready"
    things.ada.kill([str(mine)])


def test_a_group_shares_what_is_its_own(things: Things) -> None:
    friend = things.server.user(f"eve-{things.name}", things.group)
    shared = int(things.ada.submit(things.spec(group=things.group))["id"])
    assert friend.task(shared)["owner"] == f"ada-{things.name}"
    assert [task["id"] for task in friend.tasks()] == [shared]
    assert things.server.ask("GET", f"/v1/tasks/{shared}", things.bob_token).status == 404
    assert friend.kill([str(shared)])["killed"] == 1


def test_nobody_submits_for_a_group_that_is_not_his(things: Things) -> None:
    body = {"key": things.key(), "spec": {"payload": {"kind": "command", "argv": ["true"]}, "group": things.group}}
    said = things.server.ask("POST", "/v1/tasks", things.bob_token, body)
    assert (said.status, said.code) == (403, "denied")


OWN_PILOT = [call for (call, kind), scope in SCOPES.items() if scope == "own_pilot"]
OWN_NAME = [call for (call, kind), scope in SCOPES.items() if scope == "own_name"]
OF_QUEUE = [(call, kind) for (call, kind), scope in SCOPES.items() if scope == "own_queue"]


@pytest.mark.parametrize("call", OWN_PILOT, ids=name_of)
def test_another_pilots_token_is_denied(things: Things, call: Call) -> None:
    said = ask(things, call, things.other.token)
    assert (said.status, said.code) == (403, "denied")


@pytest.mark.parametrize("call", OWN_NAME, ids=name_of)
def test_another_harvesters_token_is_denied(things: Things, call: Call) -> None:
    token = things.server.token("harvester", "somebody-else", queues=[things.queue])
    said = ask(things, call, token)
    assert (said.status, said.code) == (403, "denied")


@pytest.mark.parametrize(("call", "kind"), OF_QUEUE, ids=name_of)
def test_a_token_for_another_queue_is_denied(things: Things, call: Call, kind: Kind) -> None:
    token = things.server.token(kind, things.harvester, queues=["another"], uses=1 if kind == "join" else None)
    said = ask(things, call, token)
    assert (said.status, said.code) == (403, "denied")


class TestAttempts:
    """A pilot reads and writes what an attempt needs only while it holds that attempt."""

    def test_logs_of_an_attempt_are_written_by_its_pilot_only(self, things: Things) -> None:
        path = f"/v1/jobs/{things.live}.0/attempts/1/log/stdout?offset=0"
        said = things.server.ask("PUT", path, things.other.token, b"not mine")
        assert (said.status, said.code) == (409, "stale")
        assert things.ada.log(f"{things.live}.0").data in (b"", b"a line\n")

    @pytest.mark.parametrize("path", ["/v1/blobs/{digest}", "/v1/tasks/{task}/outputs"])
    def test_inputs_are_read_by_the_pilot_that_holds_the_attempt(self, things: Things, path: str) -> None:
        where = path.format(digest=things.digest, task=things.done) + f"?attempt={things.attempt}"
        assert things.server.ask("GET", where, things.runner.token).status == 200
        said = things.server.ask("GET", where, things.other.token)
        assert (said.status, said.code) == (409, "stale")

    @pytest.mark.parametrize("path", ["/v1/blobs/{digest}", "/v1/tasks/{task}/outputs"])
    def test_without_an_attempt_a_pilot_reads_nothing(self, things: Things, path: str) -> None:
        where = path.format(digest=things.digest, task=things.done)
        said = things.server.ask("GET", where, things.runner.token)
        assert (said.status, said.code, said.json["error"]["field"]) == (422, "invalid", "attempt")

    def test_what_the_attempt_does_not_list_stays_closed(self, things: Things) -> None:
        secret = things.upload(b"a secret of Ada's")
        where = f"/v1/blobs/{secret}?attempt={things.attempt}"
        assert things.server.ask("GET", where, things.runner.token).code == "denied"
        where = f"/v1/tasks/{things.live}/outputs?attempt={things.attempt}"
        assert things.server.ask("GET", where, things.runner.token).code == "denied"

    def test_a_pilot_does_not_list_for_users(self, things: Things) -> None:
        for path in ("/v1/tasks", f"/v1/tasks/{things.done}", f"/v1/jobs/{things.done}.0/log", "/v1/queues"):
            assert things.server.ask("GET", path, things.runner.token).status == 403


class TestRevocation:
    def test_a_revoked_token_is_refused_from_the_next_use_on(self, things: Things) -> None:
        issued = things.ada.issue_token(kind="user")
        mine = things.server.people(issued["token"])
        assert mine.whoami()["subject"] == f"ada-{things.name}"
        things.ada.revoke_token(issued["jti"])
        said = things.server.ask("GET", "/v1/whoami", issued["token"])
        assert (said.status, said.code) == (401, "unauthenticated")

    def test_a_token_may_revoke_itself(self, things: Things) -> None:
        token = things.server.token("user", "short-lived")
        jti = things.server.people(token).whoami()["jti"]
        assert things.server.ask("DELETE", f"/v1/tokens/{jti}", token).status == 204
        assert things.server.ask("GET", "/v1/whoami", token).status == 401

    def test_a_spent_join_token_lets_in_nobody_else(self, things: Things) -> None:
        token = things.join(uses=1)
        body = {"key": things.key(), "queue": things.queue, "shape": {}}
        assert things.server.ask("POST", "/v1/pilots", token, body).status == 201
        assert things.server.ask("POST", "/v1/pilots", token, body).status == 201  # a repeat
        said = things.server.ask("POST", "/v1/pilots", token, {**body, "key": things.key()})
        assert (said.status, said.code) == (403, "denied")

    def test_a_join_token_that_an_administrator_made_beside_the_server_works(self, things: Things) -> None:
        token = things.server.token("join", "w", queues=[things.queue], uses=1)
        body = {"queue": things.queue, "shape": {}}
        assert things.server.ask("POST", "/v1/pilots", token, {**body, "key": things.key()}).status == 201
        assert things.server.ask("POST", "/v1/pilots", token, {**body, "key": things.key()}).status == 403


class TestGrants:
    """Nobody gives a token that exceeds his own."""

    @pytest.mark.parametrize(
        ("who", "wanted"),
        [
            ("user", {"kind": "operator"}),
            ("user", {"kind": "harvester", "subject": "x"}),
            ("user", {"kind": "user", "subject": "somebody-else"}),
            ("user", {"kind": "user", "groups": ["not-mine"]}),
            ("user", {"kind": "user", "ttl_s": 9_999_999}),
            ("site", {"kind": "user"}),
            ("site", {"kind": "join", "subject": "w", "queues": ["another"]}),
            ("site", {"kind": "operator"}),
        ],
    )
    def test_what_exceeds_ones_own_is_denied(self, things: Things, who: Kind, wanted: dict[str, Any]) -> None:
        said = things.server.ask("POST", "/v1/tokens", things.tokens[who], wanted)
        assert (said.status, said.code) == (403, "denied")


class TestSites:
    """A site changes its own queues' blocks, and no other field."""

    def put(self, things: Things, **change: Any) -> Any:
        config = {**things.admin.queue(things.queue)["config"], **change}
        return things.server.ask("PUT", f"/v1/queues/{things.queue}", things.tokens["site"], config)

    def test_its_own_blocks_are_its_own(self, things: Things) -> None:
        said = self.put(things, pilot={"work_dir": "/scratch"}, submitter={"type": "local", "x": 1})
        assert (said.status, said.json["config"]["pilot"]["work_dir"]) == (200, "/scratch")

    @pytest.mark.parametrize("change", [{"accepts": {}}, {"site": "other"}, {"limits": {"workers": 1}}, {"note": "x"}])
    def test_the_rest_is_the_operators(self, things: Things, change: dict[str, Any]) -> None:
        said = self.put(things, **change)
        assert (said.status, said.code, said.json["error"]["field"]) == (403, "denied", next(iter(change)))


def test_a_pilot_tells_samples_of_its_own_attempts_only(cast: Cast) -> None:
    """Neither a heartbeat nor a report of another pilot changes what is shown of a running attempt."""
    mine, other = cast.pilot(), cast.pilot()
    cast.submit()
    attempt = mine.grant()

    def sample() -> object:
        return cast.ada.job(attempt.partition("/")[0])["attempt_list"][0].get("sample")

    def tell(pilot: FakePilot, rss: float) -> None:
        held = HeldAttempt(attempt, "running", sample={"rss": rss})
        pilot.api.heartbeat(pilot.id, Heartbeat(held=[held], state="busy"))

    tell(mine, 5)
    tell(other, 7)
    assert other.report(attempt).status == "stale"
    assert sample() == {"rss": 5}
