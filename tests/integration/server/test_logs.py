"""Logs: a byte that was acknowledged is kept, at its offset, once, whatever becomes of the server."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.services.server import Server

from barnstorm.model.ids import parse_attempt
from barnstorm.model.pilots import LogPiece

from .cast import Cast, FakePilot


def running(cast: Cast) -> tuple[FakePilot, str, str]:
    """A pilot with an attempt, and that attempt's job."""
    pilot = cast.pilot()
    cast.submit()
    attempt = pilot.grant()
    return pilot, attempt, attempt.partition("/")[0]


def put(cast: Cast, pilot: FakePilot, attempt: str, offset: int, data: bytes, stream: str = "stdout") -> Any:
    job, _, number = attempt.partition("/")
    path = f"/v1/jobs/{job}/attempts/{number}/log/{stream}?offset={offset}"
    return cast.server.ask("PUT", path, pilot.token, data)


def read(cast: Cast, job: str, **query: Any) -> bytes:
    return cast.ada.log(job, **query).data


def test_pieces_join_to_the_log(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    assert put(cast, pilot, attempt, 0, b"first\n").json == {"offset": 6}
    assert put(cast, pilot, attempt, 6, b"second\n").json == {"offset": 13}
    assert read(cast, job) == b"first\nsecond\n"
    assert read(cast, job, offset=6) == b"second\n"
    assert read(cast, job, offset=100) == b""


def test_the_streams_are_apart(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    put(cast, pilot, attempt, 0, b"out", "stdout")
    put(cast, pilot, attempt, 0, b"err", "stderr")
    assert (read(cast, job), read(cast, job, stream="stderr")) == (b"out", b"err")


def test_a_piece_beyond_the_end_is_refused_with_where_to_go_on(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    put(cast, pilot, attempt, 0, b"abc")
    said = put(cast, pilot, attempt, 5, b"xyz")
    assert (said.status, said.code, said.json["error"]["allowed"]) == (409, "stale", 3)
    assert pilot.api.put_log(parse_attempt(attempt), "stdout", 5, b"xyz") == 3
    assert read(cast, job) == b"abc"


def test_what_is_there_already_is_skipped(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    put(cast, pilot, attempt, 0, b"abcdef")
    assert put(cast, pilot, attempt, 3, b"defghi").json == {"offset": 9}
    assert put(cast, pilot, attempt, 0, b"abc").json == {"offset": 9}
    assert put(cast, pilot, attempt, 0, b"").json == {"offset": 9}
    assert read(cast, job) == b"abcdefghi"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=12))
def test_any_order_of_pieces_keeps_a_beginning_of_the_log(cast: Cast, pieces: list[tuple[int, int]]) -> None:
    """Each sends bytes of the same log from some offset on: what is kept is always its beginning."""
    pilot, attempt, job = running(cast)
    whole = bytes(range(65, 125))
    kept = 0
    for offset, length in pieces:
        said = put(cast, pilot, attempt, offset, whole[offset : offset + length])
        if offset > kept:
            assert said.status == 409
        else:
            kept = max(kept, offset + length)
            assert said.json == {"offset": kept}
    assert read(cast, job) == whole[:kept]


def test_binary_logs_are_kept_as_they_are(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    data = bytes(range(256)) * 100
    put(cast, pilot, attempt, 0, data)
    assert read(cast, job) == data


def test_the_log_of_each_attempt_is_its_own(cast: Cast) -> None:
    pilot = cast.pilot()
    task = cast.submit(retries=1)
    first = pilot.grant()
    put(cast, pilot, first, 0, b"of the first")
    pilot.report(first, "failed", fault="exit")
    second = pilot.grant()
    put(cast, pilot, second, 0, b"of the second")
    job = f"{task}.0"
    assert read(cast, job) == b"of the second"
    assert read(cast, job, attempt=1) == b"of the first"
    assert cast.ada.log(job, attempt=1).complete
    assert cast.server.ask("GET", f"/v1/jobs/{job}/log?attempt=3", cast.ada_token).status == 404


def test_logs_may_come_after_the_report(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    pilot.report(attempt)
    assert put(cast, pilot, attempt, 0, b"late").json == {"offset": 4}
    assert read(cast, job) == b"late"


def test_the_last_pieces_may_come_with_the_report(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    put(cast, pilot, attempt, 0, b"begin ")
    pieces = [LogPiece("stdout", 6, base64.b64encode(b"end").decode()), LogPiece("stderr", 0, "b29wcw==")]
    assert pilot.report(attempt, logs=pieces).status == "accepted"
    assert (read(cast, job), read(cast, job, stream="stderr")) == (b"begin end", b"oops")
    view = cast.ada.job(job)["attempt_list"][0]
    assert (view["stdout_bytes"], view["stderr_bytes"]) == (9, 4)


def test_pieces_with_a_report_on_somebody_elses_attempt_are_not_kept(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    other = cast.pilot()
    assert other.report(attempt, logs=[LogPiece("stdout", 0, "Zm9yZ2Vk")]).status == "stale"
    assert read(cast, job) == b""
    assert pilot.report(attempt).status == "accepted"


def test_a_piece_over_its_limit_is_refused(cast: Cast) -> None:
    pilot, attempt, _ = running(cast)
    said = put(cast, pilot, attempt, 0, bytes(4 * 2**20 + 1))
    assert (said.status, said.code) == (413, "too_large")


def test_an_endless_log_is_cut_at_its_limit_and_its_beginning_kept(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    limit = 2 * 2**20
    assert put(cast, pilot, attempt, 0, b"a" * (limit - 5)).json == {"offset": limit - 5}
    assert put(cast, pilot, attempt, limit - 5, b"b" * 10).json == {"offset": limit}
    assert cast.ada.log(job, offset=limit - 7).data == b"aa" + b"b" * 5


@pytest.mark.parametrize(("stream", "status"), [("stdin", 422), ("..%2f..%2fx", 404), ("%00", 422)])
def test_only_the_two_streams_there_are(cast: Cast, stream: str, status: int) -> None:
    pilot, attempt, job = running(cast)
    assert put(cast, pilot, attempt, 0, b"x", stream).status == status
    assert cast.server.ask("GET", f"/v1/jobs/{job}/log?stream={stream}", cast.ada_token).status == 422


def test_whoever_asks_for_less_gets_less_at_a_time(cast: Cast) -> None:
    pilot, attempt, job = running(cast)
    put(cast, pilot, attempt, 0, b"0123456789")
    pilot.report(attempt)
    found, offset = b"", 0
    while True:
        said = cast.server.ask("GET", f"/v1/jobs/{job}/log?offset={offset}&limit=4", cast.ada_token)
        assert int(said.headers["x-barnstorm-offset"]) == offset
        found, offset = found + said.body, offset + len(said.body)
        if said.headers["x-barnstorm-complete"] == "true":
            break
    assert found == b"0123456789"


def test_acknowledged_bytes_outlive_a_kill_of_the_server(own_server: Callable[..., Server]) -> None:
    server = own_server()
    cast = Cast(server, "logs")
    pilot, attempt, job = running(cast)
    kept = 0
    for number in range(3):
        for line in range(10):
            kept = put(cast, pilot, attempt, kept, f"{number}.{line}\n".encode()).json["offset"]
        server.kill()
        server.start()
        assert read(cast, job) == "".join(f"{n}.{line}\n" for n in range(number + 1) for line in range(10)).encode()
    assert pilot.report(attempt).status == "accepted"
    assert cast.ada.log(job, offset=kept).complete
