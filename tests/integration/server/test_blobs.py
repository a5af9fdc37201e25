"""Blobs: whole or not at all, for those who brought them and for the pilots whose attempts need them."""

import io
import os
from typing import Any

import pytest

from barnstorm.api.errors import Stale
from barnstorm.model.collection import FileIn, Files
from barnstorm.model.ids import parse_attempt
from barnstorm.model.pilots import OutputFile

from .cast import Cast, digest_of

MIB = 2**20


def put(cast: Cast, data: bytes, digest: str = "", token: str = "") -> Any:
    return cast.server.ask("PUT", f"/v1/blobs/{digest or digest_of(data)}", token or cast.ada_token, data)


def get(cast: Cast, digest: str, token: str = "", **headers: str) -> Any:
    return cast.server.ask("GET", f"/v1/blobs/{digest}", token or cast.ada_token, None, headers)


class TestBringing:
    @pytest.mark.parametrize("data", [b"x", b"a line\n", os.urandom(300_000), b"\0" * 1000], ids=len)
    def test_what_is_brought_comes_back(self, cast: Cast, data: bytes) -> None:
        data = cast.name.encode() + data
        said = put(cast, data)
        assert (said.status, said.json) == (201, {"blob": digest_of(data), "size": len(data)})
        back = get(cast, digest_of(data))
        assert (back.status, back.body) == (200, data)
        assert back.headers["content-type"] == "application/octet-stream"

    def test_an_empty_blob_is_one_too(self, cast: Cast) -> None:
        assert put(cast, b"").status in (200, 201)
        back = get(cast, digest_of(b""))
        assert (back.status, back.body, back.headers["content-length"]) == (200, b"", "0")

    def test_bringing_it_again_is_no_news(self, cast: Cast) -> None:
        data = cast.name.encode()
        assert [put(cast, data).status for _ in range(3)] == [201, 200, 200]

    def test_other_bytes_than_said_are_refused_and_leave_nothing(self, cast: Cast) -> None:
        wanted = digest_of(b"wanted" + cast.name.encode())
        said = put(cast, b"something else", wanted)
        assert (said.status, said.code, said.json["error"]["field"]) == (422, "invalid", "digest")
        assert digest_of(b"something else") in said.json["error"]["message"]
        assert get(cast, wanted).status == 404
        assert list((cast.server.data_dir / "blobs" / "incoming").iterdir()) == []

    def test_too_many_bytes_are_refused_and_leave_nothing(self, cast: Cast) -> None:
        data = bytes(2 * MIB + 1)
        try:
            said = put(cast, data)
        except (BrokenPipeError, ConnectionResetError):
            return  # it may hang up on who goes on sending
        assert (said.status, said.code, said.json["error"]["allowed"]) == (413, "too_large", 2 * MIB)
        assert get(cast, digest_of(data)).status == 404
        assert list((cast.server.data_dir / "blobs" / "incoming").iterdir()) == []

    def test_exactly_so_many_bytes_are_fine(self, cast: Cast) -> None:
        assert put(cast, cast.name.encode().ljust(2 * MIB, b"x")).status == 201

    @pytest.mark.parametrize("digest", ["x", "AB" * 32, "ab" * 31, "ab" * 33, "..%2f" * 8, "g" * 64])
    def test_what_is_no_sha256_is_refused(self, cast: Cast, digest: str) -> None:
        for method in ("PUT", "GET"):
            said = cast.server.ask(method, f"/v1/blobs/{digest}", cast.ada_token, b"x" if method == "PUT" else None)
            assert said.status in (404, 422)

    def test_the_client_sends_nothing_twice(self, cast: Cast) -> None:
        connection = cast.server.connection(cast.ada_token)
        data = b"once" + cast.name.encode()
        assert connection.upload(io.BytesIO(data)) == (digest_of(data), len(data))
        before = (cast.server.data_dir / "blobs" / digest_of(data)[:2] / digest_of(data)).stat().st_mtime_ns
        assert connection.upload(io.BytesIO(data)) == (digest_of(data), len(data))
        after = (cast.server.data_dir / "blobs" / digest_of(data)[:2] / digest_of(data)).stat().st_mtime_ns
        assert before == after


class TestRanges:
    DATA = b"0123456789"

    @pytest.mark.parametrize(
        ("asked", "data", "told"),
        [
            ("bytes=0-", b"0123456789", "bytes 0-9/10"),
            ("bytes=3-", b"3456789", "bytes 3-9/10"),
            ("bytes=3-5", b"345", "bytes 3-5/10"),
            ("bytes=9-9", b"9", "bytes 9-9/10"),
            ("bytes=5-500", b"56789", "bytes 5-9/10"),
        ],
    )
    def test_a_range_is_honoured(self, cast: Cast, asked: str, data: bytes, told: str) -> None:
        said = get(cast, cast.upload(self.DATA), Range=asked)
        assert (said.status, said.body, said.headers["content-range"]) == (206, data, told)

    @pytest.mark.parametrize("asked", ["bytes=10-", "bytes=999999999999-"])
    def test_one_beyond_the_end_is_refused(self, cast: Cast, asked: str) -> None:
        """Else a download that was complete would begin again."""
        said = get(cast, cast.upload(self.DATA), Range=asked)
        assert (said.status, said.code, said.headers["content-range"]) == (416, "invalid", "bytes */10")

    @pytest.mark.parametrize(
        "asked", ["bytes=5-2", "bytes=-5", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes=" + "9" * 50 + "-"]
    )
    def test_what_is_no_such_range_is_passed_over(self, cast: Cast, asked: str) -> None:
        said = get(cast, cast.upload(self.DATA), Range=asked)
        assert (said.status, said.body) == (200, self.DATA)


class TestWhoMay:
    def test_nobody_else_sees_what_one_brought(self, cast: Cast) -> None:
        digest = cast.upload(cast.name.encode())
        for method in ("GET", "HEAD"):
            assert cast.server.ask(method, f"/v1/blobs/{digest}", cast.bob_token).status == 404
            assert cast.server.ask(method, f"/v1/blobs/{digest}", cast.ada_token).status == 200

    def test_whoever_brings_the_same_bytes_has_them_too(self, cast: Cast) -> None:
        digest = cast.upload(cast.name.encode())
        assert put(cast, cast.name.encode(), token=cast.bob_token).status == 200
        assert get(cast, digest, cast.bob_token).body == cast.name.encode()

    def test_a_pilot_gets_the_inputs_of_its_attempt_and_nothing_else(self, cast: Cast) -> None:
        pilot = cast.pilot()
        mine, other = cast.upload(b"in" + cast.name.encode()), cast.upload(b"other" + cast.name.encode())
        own = cast.upload(b"own" + cast.name.encode())
        files = Files([FileIn(f"blob:{own}")])
        cast.submit(inputs=[FileIn(f"blob:{mine}")], over=files)
        attempt = pilot.grant()
        assert b"".join(pilot.api.blob(mine, attempt)) == b"in" + cast.name.encode()
        assert b"".join(pilot.api.blob(own, attempt)) == b"own" + cast.name.encode()
        said = get(cast, f"{other}?attempt={attempt}", pilot.token)
        assert (said.status, said.code) == (403, "denied")

    def test_a_pilot_gets_no_input_any_more_once_its_attempt_has_ended(self, cast: Cast) -> None:
        pilot = cast.pilot()
        digest = cast.upload(cast.name.encode())
        cast.submit(inputs=[FileIn(f"blob:{digest}")])
        attempt = pilot.grant()
        pilot.report(attempt)
        with pytest.raises(Stale):
            list(pilot.api.blob(digest, attempt))

    def test_what_a_pilot_brings_is_its_owners(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        data = b"out" + cast.name.encode()
        digest, size = pilot.api.connection.upload(io.BytesIO(data), attempt)
        assert get(cast, digest).body == data
        assert get(cast, digest, cast.bob_token).status == 404
        pilot.report(attempt, outputs=[OutputFile("dir/limit.json", digest, size)])
        assert b"".join(cast.ada.output(f"{task}.0", "dir/limit.json")) == data
        assert [one["name"] for one in cast.ada.outputs(task)] == ["dir/limit.json"]

    def test_outputs_become_visible_only_with_the_report(self, cast: Cast) -> None:
        pilot, task = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        pilot.api.connection.upload(io.BytesIO(b"early" + cast.name.encode()), attempt)
        assert list(cast.ada.outputs(task)) == []
        assert cast.server.ask("GET", f"/v1/jobs/{task}.0/outputs/x", cast.ada_token).status == 404

    def test_outputs_of_an_upstream_task_come_to_the_pilot_that_merges_them(self, cast: Cast) -> None:
        pilot, toys = cast.pilot(), cast.submit()
        attempt = pilot.grant()
        data = b"toy" + cast.name.encode()
        digest, size = pilot.api.connection.upload(io.BytesIO(data), attempt)
        pilot.report(attempt, outputs=[OutputFile("limit.json", digest, size)])
        cast.submit(inputs=[FileIn(f"task:{toys}")], after=[toys])
        merge = pilot.grant()
        (found,) = pilot.api.outputs(toys, merge)
        assert found == {"job": f"{toys}.0", "index": 0, "name": "limit.json", "blob": digest, "size": size}
        assert b"".join(pilot.api.blob(digest, merge)) == data

    def test_nobody_reads_anothers_outputs_by_naming_his_task_as_input(self, cast: Cast) -> None:
        secret = cast.submit()
        document = {"key": cast.key(), "spec": {"payload": {"kind": "command", "argv": ["cat"]}}}
        document["spec"]["inputs"] = [{"source": f"task:{secret}"}]  # type: ignore[index]
        said = cast.server.ask("POST", "/v1/tasks", cast.bob_token, document)
        assert (said.status, said.json["error"]["field"]) == (422, "spec.inputs")


def test_attempts_are_named_as_they_are(cast: Cast) -> None:
    pilot, task = cast.pilot(), cast.submit()
    assert parse_attempt(pilot.grant()) == (task, 0, 1)
