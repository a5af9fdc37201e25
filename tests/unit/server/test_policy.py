"""The table of policies: whole against the application and the protocol's page, and what `check` makes of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Mount, Route

from barnstorm_server.app import build
from barnstorm_server.auth.errors import Denied, Unauthenticated
from barnstorm_server.auth.policy import POLICIES, check, may_touch
from barnstorm_server.auth.principal import KINDS, Kind, Principal
from barnstorm_server.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
PROTOCOL = ROOT / "docs" / "architecture" / "protocol.md"
CALL = re.compile(r"\b(GET|POST|PUT|DELETE) (/[^\s`?()]*)")
BARE = re.compile(r"\{[^}]*\}")


def who(kind: Kind, subject: str = "ada", queues: tuple[str, ...] = (), pilot: int | None = None) -> Principal:
    return Principal(kind, subject, ("rubin",), queues, "j1", 2e9, pilot)


def routes_of(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each method and path that an application serves."""
    for route in routes:
        if isinstance(route, Mount):
            yield from routes_of(route.routes, prefix + route.path)
        else:
            assert isinstance(route, Route), f"{route} is of a kind that this test does not know"
            for method in route.methods or ():
                yield method, prefix + route.path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    app = build(Settings(data_dir=tmp_path_factory.mktemp("data")))
    try:
        return set(routes_of(app.routes))
    finally:
        app.state.services.store.close()


def test_each_route_has_a_policy(served: set[tuple[str, str]]) -> None:
    def named(method: str, path: str) -> bool:  # HEAD comes with every GET
        return (method, path) in POLICIES or (method == "HEAD" and ("GET", path) in POLICIES)

    assert [route for route in sorted(served) if not named(*route)] == []


def test_each_policy_has_a_route(served: set[tuple[str, str]]) -> None:
    assert sorted(POLICIES.keys() - served) == []


def test_each_call_of_the_protocol_has_a_policy() -> None:
    calls = {(method, BARE.sub("{}", path)) for method, path in CALL.findall(PROTOCOL.read_text(encoding="utf-8"))}
    assert len(calls) > 30
    known = {(method, BARE.sub("{}", path)) for method, path in POLICIES}
    assert sorted(calls - known) == []


@pytest.mark.parametrize(("method", "path"), POLICIES)
def test_without_a_token_only_what_is_public(method: str, path: str) -> None:
    if POLICIES[method, path].public:
        check(None, method, path, {})
        assert path in ("/v1", "/healthz", "/docs", "/openapi.json")
    else:
        with pytest.raises(Unauthenticated, match="jobctl login"):
            check(None, method, path, {})


def test_operators_may_do_what_users_may() -> None:
    for route, policy in POLICIES.items():
        if "user" in policy.kinds:
            assert policy.scopes["operator"] == "any", route


def test_a_join_token_can_only_begin_a_pilot() -> None:
    assert [route for route, policy in POLICIES.items() if "join" in policy.kinds] == [("POST", "/v1/pilots")]


def test_pilots_and_harvesters_reach_nothing_of_people_but_by_their_scope() -> None:
    for route, policy in POLICIES.items():
        if route[1] not in ("/v1/whoami", "/v1/queue.schema.json"):
            assert policy.scopes.get("pilot", "own_pilot") in ("own_pilot", "own_attempt"), route
            assert policy.scopes.get("harvester", "own_name") in ("own_name", "own_queue"), route


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_the_policy_does_not_name_is_denied(kind: Kind) -> None:
    for (method, path), policy in POLICIES.items():
        if not policy.public and kind not in policy.kinds:
            with pytest.raises(Denied, match=f"a {kind} token is not for this"):
                check(who(kind, queues=("Q",), pilot=1), method, path, {})


LEASE, BEAT = "/v1/pilots/{pilot}/lease", "/v1/harvesters/{name}/heartbeat"
QUEUE, MARKS = "/v1/queues/{queue}", "/v1/queues/{queue}/marks"
WORKERS, DEMAND = "/v1/queues/{queue}/workers", "/v1/queues/{queue}/demand"

ALLOWED = [
    (who("pilot", pilot=7), "POST", LEASE, {"pilot": "p7"}, "own_pilot"),
    (who("harvester", "edge"), "POST", BEAT, {"name": "edge"}, "own_name"),
    (who("harvester", "edge"), "POST", WORKERS, {"queue": "any"}, "own_queue"),
    (who("harvester", "edge", ("A", "B")), "GET", DEMAND, {"queue": "B"}, "own_queue"),
    (who("site", "SLAC", ("A",)), "PUT", QUEUE, {"queue": "A"}, "own_queue"),
    (who("site", "SLAC", ("A",)), "GET", QUEUE, {"queue": "B"}, "any"),
    (who("operator"), "PUT", QUEUE, {"queue": "B"}, "any"),
    (who("user"), "GET", QUEUE, {"queue": "B"}, "any"),
    (who("user"), "HEAD", QUEUE, {"queue": "B"}, "any"),
    (who("user"), "GET", "/v1/tasks", {}, "own"),
]


@pytest.mark.parametrize("case", ALLOWED)
def test_scopes_that_the_path_decides(case: tuple[Principal, str, str, dict[str, str], str]) -> None:
    *asked, scope = case
    assert check(*asked) == scope  # type: ignore[arg-type]


DENIED = [
    (who("pilot", pilot=7), "POST", LEASE, {"pilot": "p8"}),
    (who("pilot", pilot=7), "POST", LEASE, {"pilot": "7"}),
    (who("pilot", pilot=7), "POST", LEASE, {"pilot": "p07"}),
    (who("pilot", pilot=None), "POST", LEASE, {"pilot": "pNone"}),
    (who("harvester", "edge"), "POST", BEAT, {"name": "Edge"}),
    (who("harvester", "edge", ("A",)), "POST", WORKERS, {"queue": "B"}),
    (who("harvester", "edge", ("A",)), "GET", QUEUE, {"queue": "a"}),
    (who("site", "SLAC", ("A",)), "POST", MARKS, {"queue": "B"}),
    (who("site", "SLAC", ()), "POST", MARKS, {"queue": "B"}),
]


@pytest.mark.parametrize("case", DENIED)
def test_what_belongs_to_others(case: tuple[Principal, str, str, dict[str, str]]) -> None:
    with pytest.raises(Denied) as caught:
        check(*case)
    assert caught.value.ids == tuple(case[3].values())


def test_a_route_without_a_policy_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError, match="has no policy"):
        check(who("operator"), "PATCH", "/v1/tasks", {})


def test_own_things() -> None:
    ada = who("user")
    assert may_touch(ada, "ada", None)
    assert may_touch(ada, "bob", "rubin")
    assert not may_touch(ada, "bob", "lz")
    assert not may_touch(ada, "bob", None)
    assert not may_touch(Principal("user", "ada", ("",), (), "j", 2e9), "bob", "")
    assert may_touch(who("operator", "root"), "bob", None)
    assert not may_touch(who("site"), "ada", "rubin")
