"""The offsets of a log on its way."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnstorm_pilot.logs import LogStream


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    made = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield made
    os.close(made)


def test_pieces_follow_each_other(fd: int) -> None:
    stream = LogStream("stdout", fd, 1000)
    assert stream.next_piece() is None
    os.write(fd, b"hello ")
    assert stream.next_piece() == (0, b"hello ")
    os.write(fd, b"world")
    stream.acknowledge(6)
    assert stream.next_piece(3) == (6, b"wor")
    stream.acknowledge(2)
    assert stream.next_piece() == (2, b"llo world")
    stream.acknowledge(11)
    stream.finish()
    assert stream.inline() is None
    assert stream.left() == 0


def test_the_mark_comes_at_the_end_and_can_be_split(fd: int) -> None:
    stream = LogStream("stderr", fd, 10)
    os.write(fd, b"0123456789abc")
    stream.acknowledge(10)
    assert stream.next_piece() is None, "nothing beyond the limit while it runs"
    stream.finish()
    mark = b"\n[barnstorm: 3 bytes dropped, limit 10]\n"
    assert stream.next_piece(5) == (10, mark[:5])
    stream.acknowledge(13)
    piece = stream.inline()
    assert piece is not None
    assert (piece.stream, piece.offset, base64.b64decode(piece.data)) == ("stderr", 13, mark[3:])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_server_that_forgets_still_gets_every_byte(data: st.DataObject) -> None:
    """Whatever is written, acknowledged and forgotten in whatever order: at the end the server has the whole log."""
    import tempfile

    with tempfile.TemporaryFile("a+b", buffering=0) as file:
        limit = data.draw(st.integers(1, 60))
        stream, kept, written = LogStream("stdout", file.fileno(), limit), b"", b""
        for _ in range(data.draw(st.integers(0, 12))):
            step = data.draw(st.sampled_from(["write", "send", "forget"]))
            if step == "write":
                more = data.draw(st.binary(min_size=1, max_size=20))
                file.write(more)
                written += more
            elif step == "send":
                piece = stream.next_piece(data.draw(st.integers(1, 15)))
                if piece and piece.offset <= len(kept):
                    kept += piece.data[len(kept) - piece.offset :]
                stream.acknowledge(len(kept))
            else:
                kept = kept[: data.draw(st.integers(0, len(kept)))]
        stream.finish()
        while len(kept) < stream.size():
            stream.acknowledge(len(kept))
            inline = stream.inline()
            assert inline is not None
            assert inline.offset == len(kept)
            kept += base64.b64decode(inline.data)
        dropped = len(written) - limit
        mark = f"\n[barnstorm: {dropped:,} bytes dropped, limit {limit:,}]\n".encode() if dropped > 0 else b""
        assert kept == written[:limit] + mark
