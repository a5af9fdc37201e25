"""Whatever is sent, the answer is one clear error in the one shape, never a 500, and nothing else is hurt."""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from barnstorm.model.task import MAX_TEXT
from barnstorm_server.auth.policy import POLICIES
from barnstorm_server.routes.table import CALLS

from .cast import Cast

MIB = 2**20
PAYLOAD = {"kind": "command", "argv": ["true"]}
NO_IDS = [
    "0", "-1", "1.99999999999", str(2**63), str(2**64), "9" * 100, "x", "%00", "%20", "1%0a", "%c2%b2", "..%2f",
    "1.0/1", "'", "w1", "p1", "null", "NaN", "1e9",
]  # fmt: skip
NUMBERS = [
    "-1", "x", "1.5", "", "NaN", "inf", "-inf", str(2**63), str(10**400), "1e400", "٣", "²", "%00", "0x10", "1_0",
]  # fmt: skip
CURSORS = [
    "x", "-1", "1.5", "%c2%b2", "9" * 30, "%00", "1.99999999999", "/", "1/%00", "1/", "0/x", "'; DROP TABLE jobs",
]  # fmt: skip


def fine(said: Any) -> None:
    """Not our fault; and an error has its shape."""
    assert said.status < 500, said
    if said.status >= 400 and said.body:
        assert said.code in {"invalid", "unauthenticated", "denied", "not_found", "stale", "conflict", "too_large"}


def tokens(cast: Cast) -> dict[str, str]:
    """A token for each kind of call."""
    pilot = cast.pilot()
    return {
        "user": cast.ada_token,
        "operator": cast.server.operator,
        "harvester": cast.server.token("harvester", "edge", queues=[cast.queue]),
        "pilot": pilot.token,
        "join": cast.join(uses=1000),
        "pilot id": pilot.id,
    }


def who_may(path: str, method: str) -> str:
    kinds = POLICIES[method, path].kinds
    return next((kind for kind in ("user", "operator", "harvester", "pilot", "join") if kind in kinds), "user")


def filled(path: str, cast: Cast, with_what: str, pilot: str) -> str:
    """A path with something in each place; what the token is bound to stays."""
    bound = {"pilot": pilot, "queue": cast.queue, "name": "edge"}
    parts = path.replace(":path}", "}")
    for name in ("task", "job", "worker", "mark", "jti", "digest", "number", "stream"):
        parts = parts.replace("{" + name + "}", with_what)
    if "{" in parts and not any("{" + name + "}" in parts for name in bound if name != "name"):
        return parts.replace("{name}", "edge" if "harvesters" in parts else with_what)
    for name, value in bound.items():
        parts = parts.replace("{" + name + "}", value)
    return parts


WITH_PARTS = [call for call in CALLS if "{" in call.path]
WITH_QUERY = [call for call in CALLS if call.query]
WITH_BODY = [call for call in CALLS if call.method in ("POST", "PUT")]


def test_ids_that_are_none_are_told_apart_from_things_that_are_not_there(each_cast: Cast) -> None:
    held = tokens(each_cast)
    for call in WITH_PARTS:
        token = held[who_may(call.path, call.method)]
        for text in NO_IDS:
            path = filled(call.path, each_cast, text, held["pilot id"])
            said = each_cast.server.ask(call.method, path, token, {} if call in WITH_BODY else None)
            fine(said)


def test_things_that_are_not_there_are_not_found(each_cast: Cast) -> None:
    ada, operator = each_cast.ada_token, each_cast.server.operator
    for path in (
        "/v1/tasks/999999",
        "/v1/tasks/9223372036854775807",
        "/v1/tasks/999999/jobs",
        "/v1/tasks/999999/outputs",
        "/v1/tasks/999999/explain",
        "/v1/jobs/999999.0",
        "/v1/jobs/999999.0/log",
        "/v1/jobs/999999.0/explain",
        "/v1/jobs/999999.0/outputs/x",
        "/v1/jobs/9223372036854775807.9999999999",
        "/v1/queues/nowhere",
        "/v1/queues/nowhere/decisions",
        "/v1/queues/nowhere/explain",
        "/v1/workers/w999999",
        "/v1/pilots/p9223372036854775807",
        "/v1/harvesters/nobody",
        f"/v1/blobs/{'0' * 64}",
        "/v1/nothing",
        "/nothing/at/all",
    ):
        said = each_cast.server.ask("GET", path, ada)
        assert (said.status, said.code) == (404, "not_found"), path
    said = each_cast.server.ask("DELETE", f"/v1/queues/{each_cast.queue}/marks/999999", operator)
    assert (said.status, said.code) == (404, "not_found")


def test_a_method_that_a_path_does_not_take_is_told_in_the_one_shape(each_cast: Cast) -> None:
    said = each_cast.server.ask("PATCH", "/v1/tasks", each_cast.ada_token, {})
    assert (said.status, said.code) == (405, "invalid")


@pytest.mark.parametrize("text", [*NUMBERS, *CURSORS, "x" * 5000])
def test_odd_queries_are_refused_or_ignored(each_cast: Cast, text: str) -> None:
    held = tokens(each_cast)
    task = each_cast.submit()
    for call in WITH_QUERY:
        token = held[who_may(call.path, call.method)]
        known = {"task": task, "job": f"{task}.0", "queue": each_cast.queue, "digest": "0" * 64}
        path = call.path.replace("{name}", "edge").replace("{number}", "1").replace("{stream}", "stdout")
        for name, value in known.items():
            path = path.replace("{" + name + "}", str(value))
        for name in call.query:
            if name == "wait_s" and text in ("", "1.5"):
                continue  # a good one
            body = b"" if call.method == "PUT" else None
            fine(each_cast.server.ask(call.method, f"{path}?{name}={quote(text, safe='%')}", token, body))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=-5", "limit"), ("limit=x", "limit"),
        ("limit=" + "9" * 400, "limit"), ("cursor=x", "cursor"), ("cursor=%C2%B2", "cursor"),
        ("state=nonsense", "state"), ("label=nothing", "label"), ("cursor=" + "9" * 30, "cursor"),
    ],
)  # fmt: skip
def test_a_wrong_query_names_its_field(each_cast: Cast, query: str, field: str) -> None:
    said = each_cast.server.ask("GET", f"/v1/tasks?{query}", each_cast.ada_token)
    assert (said.status, said.code, said.json["error"]["field"]) == (422, "invalid", field)


BODIES: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"true",
    b"{",
    b"{}}",
    b"\xff\xfe",
    b"\x00",
    b'{"key": "\\u0000"}',
    b'{"key": "\\ud800"}',
    b'{"no_such_field": 1}',
    b'{"key": 1, "spec": 2, "ids": 3, "kind": 4, "status": 5, "name": 6, "queue": 7, "shape": 8, "free": 9, "held": 1}',
    b"[" * 5000,
    b'{"a":' * 2000,
    b'{"key": "a", "key": "b"}',
    b"NaN",
    b'{"ttl_s": 1e999, "until": 1e999, "wait_s": 1e999, "walltime_left_s": NaN}',
    b'{"max": ' + b"9" * 400 + b"}",
    b'{"max": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:20].decode("latin-1"))
def test_bodies_that_are_no_message_are_refused(each_cast: Cast, body: bytes) -> None:
    held = tokens(each_cast)
    task = each_cast.submit()
    for call in WITH_BODY:
        known = {"{task}": task, "{queue}": each_cast.queue, "{pilot}": held["pilot id"], "{name}": "edge"}
        path = call.path
        for name, value in known.items():
            path = path.replace(name, str(value))
        path = path.replace("{worker}", "w1").replace("{digest}", "0" * 64).replace("{job}", f"{task}.0")
        path = path.replace("{number}", "1").replace("{stream}", "stdout")
        fine(each_cast.server.ask(call.method, path, held[who_may(call.path, call.method)], body))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.payload"),
        ({"payload": {}}, "spec.payload"),
        ({"payload": {"kind": "binary"}}, "spec.payload"),
        ({"payload": {"kind": "command"}}, "spec.payload.argv"),
        ({"payload": {"kind": "command", "argv": []}}, "payload.argv"),
        ({"payload": {"kind": "command", "argv": "true"}}, "spec.payload.argv"),
        ({"payload": {"kind": "command", "argv": [1]}}, "spec.payload.argv.0"),
        ({"payload": {"kind": "command", "argv": ["x"], "shell": True}}, "spec.payload.shell"),
        ({"payload": PAYLOAD, "retires": 3}, "spec.retires"),
        ({"payload": PAYLOAD, "retries": -1}, "spec.retries"),
        ({"payload": PAYLOAD, "retries": "many"}, "spec.retries"),
        ({"payload": PAYLOAD, "priority": 2**63}, "spec.priority"),
        ({"payload": PAYLOAD, "needs": {"cores": 0}}, "spec.needs.cores"),
        ({"payload": PAYLOAD, "needs": {"memory_mib": -1}}, "spec.needs.memory_mib"),
        ({"payload": PAYLOAD, "needs": {"memory_mib": 2**63}}, "spec.needs.memory_mib"),
        ({"payload": PAYLOAD, "needs": {"memory": 1}}, "spec.needs.memory"),
        ({"payload": PAYLOAD, "over": {"kind": "seeds", "count": 0}}, "spec.over.count"),
        ({"payload": PAYLOAD, "over": {"kind": "seeds", "count": 10**12}}, "spec.over.count"),
        ({"payload": PAYLOAD, "over": {"kind": "numbers", "ranges": "9-1"}}, "over.ranges"),
        ({"payload": PAYLOAD, "over": {"kind": "numbers", "ranges": "0-9999999999"}}, "over"),
        ({"payload": PAYLOAD, "over": {"kind": "stars"}}, "spec.over"),
        ({"payload": PAYLOAD, "over": {"kind": "files", "files": [{"source": "ftp:x"}]}}, "spec.over.files.0.source"),
        ({"payload": PAYLOAD, "over": {"kind": "rows", "columns": ["a"], "rows": [[1, 2]]}}, "over.rows[0]"),
        ({"payload": PAYLOAD, "env": {"A": "x" * MAX_TEXT, "B": "y"}}, "env"),
        ({"payload": PAYLOAD, "env": {"A": "a\0b"}}, "spec.env"),
        ({"payload": PAYLOAD, "env": {"A=B": "c"}}, "env"),
        ({"payload": PAYLOAD, "name": "x" * 201}, "spec.name"),
        ({"payload": PAYLOAD, "outputs": [{"name": "../up"}]}, "outputs[0].name"),
        ({"payload": PAYLOAD, "after": [2**63]}, "after"),
        ({"payload": PAYLOAD, "after": [0]}, "after"),
        ({"payload": PAYLOAD, "after": [999_999_999]}, "spec.after"),
        ({"payload": PAYLOAD, "inputs": [{"source": "task:999999999"}]}, "spec.inputs"),
        ({"payload": PAYLOAD, "labels": {"a b": "c"}}, "labels"),
        ({"payload": {"kind": "command", "argv": ["{sed}"]}}, "payload.argv"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_task_is_refused_by_its_field_and_leaves_nothing(each_cast: Cast, spec: Any, field: str) -> None:
    said = each_cast.server.ask("POST", "/v1/tasks", each_cast.ada_token, {"key": each_cast.key(), "spec": spec})
    assert (said.status, said.code) == (422, "invalid")
    assert said.json["error"]["field"].startswith(field)
    assert list(each_cast.ada.tasks()) == []


@pytest.mark.parametrize("text", ["name", "key", "label", "group", "reason", "env name"])
def test_a_nul_byte_is_refused_wherever_it_stands(each_cast: Cast, text: str) -> None:
    """One engine could not store it, and no program could be given it."""
    nul = "a\0b"
    spec: dict[str, Any] = {"payload": PAYLOAD}
    body: dict[str, Any] = {"key": each_cast.key(), "spec": spec}
    if text == "reason":
        body = {"ids": [str(each_cast.submit())], "reason": nul}
        said = each_cast.server.ask("POST", "/v1/kill", each_cast.ada_token, body)
    else:
        more: dict[str, Any] = {"name": {"name": nul}, "label": {"labels": {"a": nul}}, "group": {"group": nul}}
        spec.update(more.get(text, {"env": {nul: "x"}} if text == "env name" else {}))
        body["key"] = nul if text == "key" else body["key"]
        said = each_cast.server.ask("POST", "/v1/tasks", each_cast.ada_token, body)
    assert (said.status, said.code) == (422, "invalid")


def test_a_text_that_only_speaks_of_nul_bytes_passes(each_cast: Cast) -> None:
    argv = ["printf", "\\u0000 NaN Infinity 1e999"]
    said = each_cast.server.ask(
        "POST",
        "/v1/tasks",
        each_cast.ada_token,
        {"key": each_cast.key(), "spec": {"payload": {"kind": "command", "argv": argv}, "queues": ["nowhere"]}},
    )
    assert said.status == 201
    assert said.json["spec"]["payload"]["argv"] == argv


def test_an_empty_key_is_no_key(each_cast: Cast) -> None:
    body = {"key": "", "spec": {"payload": PAYLOAD}}
    said = each_cast.server.ask("POST", "/v1/tasks", each_cast.ada_token, body)
    assert (said.status, said.json["error"]["field"]) == (422, "key")


def test_a_body_over_its_limit_is_refused(each_cast: Cast) -> None:
    big = json.dumps({"key": "k", "spec": {"payload": PAYLOAD, "env": {"A": "x" * (10 * MIB)}}}).encode()
    said = each_cast.server.ask("POST", "/v1/tasks", each_cast.ada_token, big)
    assert (said.status, said.code, said.json["error"]["allowed"]) == (413, "too_large", MIB)


def test_a_body_without_a_length_is_counted_as_it_comes(each_cast: Cast) -> None:
    """Sent in chunks, so that no header tells its size."""
    where = urlsplit(each_cast.server.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    pieces = (b"x" * 100_000 for _ in range(30))
    headers = {"Authorization": f"Bearer {each_cast.ada_token}"}
    try:
        connection.request("POST", "/v1/tasks", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it may hang up on who goes on sending
    finally:
        connection.close()
    assert each_cast.ada.whoami()["subject"].startswith("ada")


class TestPilotsOddities:
    """What a pilot sends may be odd; what can be taken is taken, and the rest is told."""

    def test_a_free_shape_may_be_full(self, each_cast: Cast) -> None:
        pilot = each_cast.pilot()
        body = {"free": {"cores": 0, "memory_mib": 0, "disk_mib": 0, "walltime_s": 0}, "max": 3, "ahead": 3}
        assert each_cast.server.ask("POST", f"/v1/pilots/{pilot.id}/lease", pilot.token, body).status == 200

    @pytest.mark.parametrize(
        "report",
        [
            {"attempt": "1.0/1", "state": "lost"},
            {"attempt": "1.0/1", "state": "succeeded", "exit_code": 2**40},
            {"attempt": "1.0/1", "state": "succeeded", "signal": 2**40},
            {"attempt": "1.0/1", "state": "failed", "fault": "x" * 100},
            {"attempt": "1.0/1", "state": "failed", "message": "x" * 3000},
            {"attempt": "1.0/1", "state": "succeeded", "started_ago_s": -1},
            {"attempt": "1.0/1", "state": "succeeded", "outputs": [{"name": "x", "blob": "y"}]},
            {"attempt": "1.0/1", "state": "succeeded", "outputs": [{"name": "x", "blob": "ab" * 32, "size": 2**64}]},
            {"attempt": "x" * 60, "state": "succeeded"},
            {"attempt": "1.0/1", "state": "succeeded", "logs": [{"stream": "stdin", "offset": 0}]},
            {"attempt": "1.0/1", "state": "succeeded", "logs": [{"stream": "stdout", "offset": 0, "data": "%%%"}]},
        ],
    )
    def test_a_report_against_the_rules_is_refused(self, each_cast: Cast, report: Any) -> None:
        pilot = each_cast.pilot()
        body = {"free": {}, "max": 0, "reports": [report]}
        said = each_cast.server.ask("POST", f"/v1/pilots/{pilot.id}/lease", pilot.token, body)
        assert (said.status, said.code) == (422, "invalid")
        assert said.json["error"]["field"].startswith("reports")

    @pytest.mark.parametrize(
        "fields",
        [
            {"message": "end\0of\0output"},
            {"message": "\ufffe\uffff😀"},
            {"metrics": {"Max": {"pss": "x\0"}, "\0": "\0"}},
            {"metrics": {"deep": [[[[[[[[[[{}]]]]]]]]]]}},
            {"metrics": {"Max": {"pss": 10**30, "utime": -1}}},
            {"exit_code": -(2**31)},
            {"signal": 64},
            {"result": "AA==\0"},
            {"started_ago_s": 1e300, "ended_ago_s": 1e300},
        ],
        ids=lambda fields: next(iter(fields)),
    )
    def test_an_odd_word_does_not_cost_a_pilot_its_report(self, each_cast: Cast, fields: dict[str, Any]) -> None:
        pilot = each_cast.pilot()
        each_cast.submit()
        attempt = pilot.grant()
        body = {"free": {}, "max": 0, "reports": [{"attempt": attempt, "state": "failed", "fault": "exit", **fields}]}
        said = each_cast.server.ask("POST", f"/v1/pilots/{pilot.id}/lease", pilot.token, body)
        assert (said.status, said.json["results"][0]["status"]) == (200, "accepted")
        view = each_cast.server.ask("GET", f"/v1/jobs/{attempt.partition('/')[0]}", each_cast.ada_token)
        assert view.json["state"] == "failed"
        assert b"\\u0000" not in view.body

    def test_numbers_that_json_does_not_have_are_not_passed_on(self, each_cast: Cast) -> None:
        """Python would write them, and no browser could read the page."""
        pilot = each_cast.pilot()
        each_cast.submit()
        attempt = pilot.grant()
        body = b'{"free":{},"max":0,"reports":[{"attempt":"%s","state":"succeeded","metrics":{"Max":{"pss":%s}}}]}'
        for number in (b"NaN", b"1e999", b"-Infinity"):
            path = f"/v1/pilots/{pilot.id}/lease"
            fine(each_cast.server.ask("POST", path, pilot.token, body % (attempt.encode(), number)))
        text = each_cast.server.ask("GET", f"/v1/jobs/{attempt.partition('/')[0]}", each_cast.ada_token).body
        assert b"NaN" not in text
        assert b"Infinity" not in text

    @pytest.mark.parametrize("number", ["1e300", "-5", "0", "NaN", "1e999"])
    def test_an_odd_walltime_gives_a_usable_token_or_none(self, each_cast: Cast, number: str) -> None:
        body = f'{{"key":"{each_cast.key()}","queue":"{each_cast.queue}","shape":{{}},"walltime_left_s":{number}}}'
        said = each_cast.server.ask("POST", "/v1/pilots", each_cast.join(), body.encode())
        fine(said)
        if said.status == 201:
            told = said.json
            path = f"/v1/pilots/{told['pilot']}/heartbeat"
            assert each_cast.server.ask("POST", path, told["token"], {}).status == 200

    def test_the_key_of_another_queues_pilot_is_refused(self, each_cast: Cast) -> None:
        other = each_cast.queue + "-2"
        each_cast.admin.apply_queue({"name": other})
        body = {"key": each_cast.key(), "shape": {}}
        first = each_cast.server.ask("POST", "/v1/pilots", each_cast.join(), {**body, "queue": each_cast.queue})
        second = each_cast.server.ask("POST", "/v1/pilots", each_cast.join(other), {**body, "queue": other})
        assert (first.status, second.status, second.code) == (201, 409, "conflict")


class TestHarvestersOddities:
    def ask(self, cast: Cast, path: str, body: Any) -> Any:
        token = cast.server.token("harvester", "edge", queues=[cast.queue])
        return cast.server.ask("POST", path, token, body)

    @pytest.mark.parametrize(
        "body",
        [
            {"decisions": {"nowhere": [{"lane": "x", "change": 1}]}},
            {"pid": 2**70},
            {"host": "h\0st"},
            {"batch": {"q": {"error": "\0", "deep": [[[1]]]}}},
            {"submitters": ["x" * 10_000]},
        ],
    )
    def test_odd_words_of_a_harvester_are_taken(self, each_cast: Cast, body: Any) -> None:
        assert self.ask(each_cast, "/v1/harvesters/edge/heartbeat", body).status == 200

    @pytest.mark.parametrize(
        "decision", [{"lane": "x", "change": 2**40}, {"lane": "x" * 200, "change": 1}, {"lane": "x"}]
    )
    def test_wrong_decisions_are_refused(self, each_cast: Cast, decision: Any) -> None:
        said = self.ask(each_cast, "/v1/harvesters/edge/heartbeat", {"decisions": {each_cast.queue: [decision]}})
        assert (said.status, said.code) == (422, "invalid")

    @pytest.mark.parametrize(
        "report",
        [
            {"worker": "w1", "state": "running", "exit_code": 2**40},
            {"worker": "w1", "state": "exploded"},
            {"worker": "w1", "state": "running", "batch_id": "x" * 300},
        ],
    )
    def test_wrong_reports_on_workers_are_refused(self, each_cast: Cast, report: Any) -> None:
        said = self.ask(each_cast, "/v1/harvesters/edge/workers", {"workers": [report]})
        assert (said.status, said.code) == (422, "invalid")

    def test_odd_reports_on_workers_are_taken(self, each_cast: Cast) -> None:
        self.ask(each_cast, "/v1/harvesters/edge/heartbeat", {})
        plan = {"harvester": "edge", "workers": [{"key": each_cast.key(), "lane": "all", "shape": {}}]}
        worker = self.ask(each_cast, f"/v1/queues/{each_cast.queue}/workers", plan).json["workers"][0]["worker"]
        for told in (
            {"worker": worker, "state": "running", "log_tail": "a\0b", "message": "\0"},
            {"worker": worker, "state": "failed", "exit_code": -1, "ended_ago_s": 1e300},
            {"worker": "nonsense", "state": "running"},
            {"worker": f"w{2**62}", "state": "running"},
        ):
            said = self.ask(each_cast, "/v1/harvesters/edge/workers", {"workers": [told]})
            assert said.status == 200, said

    @pytest.mark.parametrize("lane", ["x" * 200, "\0"])
    def test_a_lane_of_an_impossible_name_is_no_500(self, each_cast: Cast, lane: str) -> None:
        plan = {"harvester": "edge", "workers": [{"key": each_cast.key(), "lane": lane, "shape": {}}]}
        fine(self.ask(each_cast, f"/v1/queues/{each_cast.queue}/workers", plan))


class TestQueuesOddities:
    @pytest.mark.parametrize("until", ["1e18", "1e300", "1e999", "NaN", "-1", "0"])
    def test_a_mark_with_an_odd_end_stops_no_one(self, each_cast: Cast, until: str) -> None:
        body = f'{{"key": "{each_cast.key()}", "status": "draining", "until": {until}}}'.encode()
        said = each_cast.server.ask("POST", f"/v1/queues/{each_cast.queue}/marks", each_cast.server.operator, body)
        fine(said)
        view = each_cast.server.ask("GET", f"/v1/queues/{each_cast.queue}", each_cast.ada_token)
        assert view.status == 200
        assert b"NaN" not in view.body
        task = each_cast.submit()
        assert each_cast.ada.explain("jobs", f"{task}.0")["head"].startswith("WAITING")

    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"name": "other"},
            {"name": "{queue}", "lanes": [{"name": "a"}, {"name": "b"}]},
            {"name": "{queue}", "submitter": {}},
            {"name": "{queue}", "accepts": {"cores": {"max": "many"}}},
            {"name": "{queue}", "submitter": {"type": "local", "x": "\0"}},
            {"name": "{queue}", "status": "offline"},
        ],
    )
    def test_a_wrong_description_is_refused_and_the_old_one_stays(self, each_cast: Cast, config: Any) -> None:
        before = each_cast.admin.queue(each_cast.queue)
        sent = json.loads(json.dumps(config).replace("{queue}", each_cast.queue))
        said = each_cast.server.ask("PUT", f"/v1/queues/{each_cast.queue}", each_cast.server.operator, sent)
        assert (said.status, said.code) == (422, "invalid")
        assert each_cast.admin.queue(each_cast.queue)["config"] == before["config"]

    def test_the_key_of_another_queues_mark_is_refused(self, each_cast: Cast) -> None:
        other = each_cast.queue + "-2"
        each_cast.admin.apply_queue({"name": other})
        body = {"key": each_cast.key(), "status": "draining"}
        operator = each_cast.server.operator
        first = each_cast.server.ask("POST", f"/v1/queues/{each_cast.queue}/marks", operator, body)
        second = each_cast.server.ask("POST", f"/v1/queues/{other}/marks", operator, body)
        assert (first.status, second.status, second.code) == (201, 409, "conflict")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "kind"),
        ({"kind": "king"}, "kind"),
        ({"kind": "join"}, "queues"),
        ({"kind": "user", "subject": "x" * 300}, "subject"),
        ({"kind": "user", "subject": "a\0b"}, "subject"),
        ({"kind": "user", "ttl_s": -1}, "ttl_s"),
        ({"kind": "user", "ttl_s": 1e12}, "ttl_s"),
        ({"kind": "join", "queues": ["q"], "subject": "w", "uses": 2**70}, "uses"),
        ({"kind": "user", "uses": 3}, "uses"),
        ({"kind": "user", "groups": "rubin"}, "groups"),
    ],
    ids=str,
)
def test_a_wrong_wish_for_a_token_names_its_field(each_cast: Cast, wanted: Any, field: str) -> None:
    said = each_cast.server.ask("POST", "/v1/tokens", each_cast.server.operator, wanted)
    assert (said.status, said.code) == (422, "invalid")
    if "\0" not in str(wanted):
        assert said.json["error"]["field"] == field


def test_a_retry_of_too_many_ranges_is_refused_at_once(each_cast: Cast) -> None:
    """A million characters could name a million million jobs."""
    task = each_cast.submit()
    body = {"key": each_cast.key(), "jobs": "0," * 100_000 + "0"}
    said = each_cast.server.ask("POST", f"/v1/tasks/{task}/retry", each_cast.ada_token, body)
    assert (said.status, said.json["error"]["field"]) == (422, "jobs")
    assert len(said.body) < 2000


def test_the_server_is_well_after_all_that(each_cast: Cast) -> None:
    said = each_cast.server.ask("GET", "/healthz")
    assert (said.status, said.json["ok"]) == (200, True)
