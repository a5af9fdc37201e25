"""Waiting for what happens in other threads and processes: for conditions, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str = "", timeout_s: float = 30.0, every_s: float = 0.01) -> T:
    """The first true value of `condition()`; an AssertionError, which names what was waited for, after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what or condition}; last: {found!r}")
        time.sleep(every_s)
