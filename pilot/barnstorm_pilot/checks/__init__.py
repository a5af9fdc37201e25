"""Validation of the node: a list of small checks, each with its result and how long it took."""

import time
from typing import Callable

from barnstorm.model.pilots import CheckResult

Check = Callable[[], tuple[bool, str, bool]]


def run(checks: list[tuple[str, Check]]) -> list[CheckResult]:
    """Run each check: (ok, what it saw, whether a failure keeps jobs away). One that breaks has failed."""
    return [_timed(name, check) for name, check in checks]


def _timed(name: str, check: Check) -> CheckResult:
    begin = time.perf_counter()
    try:
        ok, said, required = check()
    except OSError as error:
        ok, said, required = False, str(error), True
    return CheckResult(name, ok, said[:1000], required, round((time.perf_counter() - begin) * 1000, 2))
