"""Typeable ids: task `48213`, job `48213.7`, attempt `48213.7/2`, worker `w88123`, pilot `p90012`."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Optional


class InvalidId(ValueError):
    """A text that is not an id of the wanted noun."""

    def __init__(self, noun: str, text: str, example: str) -> None:
        super().__init__(f"{text[:80]!r} is not a {noun} id; one looks like {example}")
        self.noun, self.text = noun, text


class JobId(NamedTuple):
    """A job: its task and its index in that task, from 0."""

    task: int
    index: int  # type: ignore[assignment]  # a tuple's own `index` is not missed

    def __str__(self) -> str:
        return f"{self.task}.{self.index}"


class AttemptId(NamedTuple):
    """One try of a job; `number` counts from 1 and is never used twice."""

    task: int
    index: int  # type: ignore[assignment]
    number: int

    def __str__(self) -> str:
        return f"{self.task}.{self.index}/{self.number}"

    @property
    def job(self) -> JobId:
        return JobId(self.task, self.index)


MAX_ID = 2**63 - 1
_TASK = re.compile(r"[1-9][0-9]{0,18}\Z")
_JOB = re.compile(r"([1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,9})\Z")
_ATTEMPT = re.compile(r"([1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,9})/([1-9][0-9]{0,8})\Z")
_PREFIXED = re.compile(r"([wp])([1-9][0-9]{0,18})\Z")
_EXAMPLES = {"w": ("worker", "w88123"), "p": ("pilot", "p90012")}


def parse_task(text: str) -> int:
    if not _TASK.match(text) or int(text) > MAX_ID:
        raise InvalidId("task", text, "48213")
    return int(text)


def parse_job(text: str) -> JobId:
    found = _JOB.match(text)
    if not found or int(found[1]) > MAX_ID:
        raise InvalidId("job", text, "48213.7")
    return JobId(int(found[1]), int(found[2]))


def parse_attempt(text: str) -> AttemptId:
    found = _ATTEMPT.match(text)
    if not found or int(found[1]) > MAX_ID:
        raise InvalidId("attempt", text, "48213.7/2")
    return AttemptId(int(found[1]), int(found[2]), int(found[3]))


def parse_prefixed(prefix: str, text: str) -> int:
    """The number of a worker (`prefix` "w") or pilot ("p") id."""
    found = _PREFIXED.match(text)
    if not found or found[1] != prefix or int(found[2]) > MAX_ID:
        raise InvalidId(_EXAMPLES[prefix][0], text, _EXAMPLES[prefix][1])
    return int(found[2])


def parse_task_or_job(text: str) -> tuple[int, Optional[int]]:
    """`48213` gives (48213, None), `48213.7` gives (48213, 7)."""
    if "." in text:
        return parse_job(text)
    return parse_task(text), None


def ranges(indices: Iterable[int]) -> str:
    """A sorted set of indices as text: `[0, 1, 2, 7]` → `0-2,7`."""
    parts: list[list[int]] = []
    for index in sorted(set(indices)):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


_SPAN = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?(?::([1-9][0-9]{0,9}))?\Z")


def spans(text: str) -> list[range]:
    """`0-2,7,10-20:5` as Python ranges, without making the numbers.

    Raises InvalidId for anything else, an end before its start included.
    """
    found = []
    for part in text.replace(" ", "").split(","):
        match = _SPAN.match(part)
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else first
        if not match or last < first:
            raise InvalidId("range", text, "0-999, or 0-9,20,30-90:10")
        found.append(range(first, last + 1, int(match[3] or 1)))
    return found


def total(text: str) -> int:
    """How many numbers the ranges of `text` have. Raises InvalidId."""
    return _table(text)[2]


def nth(text: str, position: int) -> int:
    """The number at `position`, from 0, of the ranges of `text`. Raises InvalidId, and IndexError outside of them."""
    found, starts, count = _table(text)
    if not 0 <= position < count:
        raise IndexError(position)
    at = bisect_right(starts, position) - 1
    return found[at][position - starts[at]]


@lru_cache(maxsize=8)
def _table(text: str) -> tuple[tuple[range, ...], tuple[int, ...], int]:
    """Ranges, the position at which each begins, and their total: kept, for jobs of one task are asked for in turn."""
    found = tuple(spans(text))
    starts, count = [], 0
    for span in found:
        starts.append(count)
        count += len(span)
    return found, tuple(starts), count
