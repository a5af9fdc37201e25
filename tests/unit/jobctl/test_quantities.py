"""Sizes, times and pairs as people write them."""

import pytest

from barnstorm.jobctl.quantities import memory_mib, pair, seconds
from barnstorm.jobctl.words import ago, by_word, duration, needs_text, size, span, task_word


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("2000", 2000),
        ("500M", 500),
        ("4G", 4096),
        ("1.5GiB", 1536),
        ("1T", 1024 * 1024),
        ("512k", 1),
        ("0.2G", 205),
        ("8gb", 8192),
    ],
)
def test_memory(text: str, mib: int) -> None:
    assert memory_mib(text) == mib


@pytest.mark.parametrize("text", ["", "G", "4X", "-1G", "4 G B", "1e3"])
def test_no_memory(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write"):
        memory_mib(text)


@pytest.mark.parametrize(
    ("text", "s"),
    [
        ("3600", 3600), ("90m", 5400), ("90 min", 5400), ("12h", 43200), ("2d", 172800), ("1.5h", 5400), ("45s", 45),
        ("01:30:00", 5400), ("2-12:00:00", 216000), ("1w", 604800),
    ],
)  # fmt: skip
def test_time(text: str, s: int) -> None:
    assert seconds(text) == s


@pytest.mark.parametrize("text", ["", "h", "01:30", "1:2:3", "12x", "-5", "1:60:00"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write"):
        seconds(text)


def test_pair() -> None:
    assert pair("a=b=c") == ("a", "b=c")
    assert pair("a=") == ("a", "")
    for text in ("a", "=b"):
        with pytest.raises(ValueError):
            pair(text)


def test_words() -> None:
    assert by_word({"activated": 2, "defined": 1, "sent": 1, "finished": 4}) == {
        "waiting": 3,
        "starting": 1,
        "finished": 4,
    }
    assert task_word({"state": "ready", "counts": {"activated": 3}}) == "waiting"
    assert task_word({"state": "ready", "counts": {"sent": 1, "activated": 3}}) == "starting"
    assert task_word({"state": "running", "counts": {"running": 1}}) == "running"
    assert task_word({"state": "subfinished", "counts": {"finished": 1, "failed": 1}}) == "failed"
    assert [duration(s) for s in (0.42, 12, 200, 33_000, 300_000)] == [
        "0.4 s",
        "12 s",
        "3 min",
        "9 h 10 min",
        "3 d 11 h",
    ]
    assert [ago(100, 100.4), ago(100, 105), ago(100, 400)] == ["0 s", "5 s", "5 min"]
    assert [span(14_400), span(5_400), span(45), span(172_800)] == ["4 h", "90 min", "45 s", "2 d"]
    assert [size(0), size(12_345), size(4_000_000)] == ["0 B", "12.3 kB", "4.0 MB"]
    assert needs_text({"cores": 1, "gpus": 2, "tags": ["cvmfs"]}) == (
        "1 core · 2,000 MiB · 1 h · 1,000 MiB disk · 2 GPUs · tags cvmfs"
    )
