"""The queue's own checks: commands that each pilot runs before it takes work, side by side, each with a time limit."""

import os
import signal
import time
from typing import Callable

from barnstorm.model.pilots import CheckResult
from barnstorm.model.queue import Check

from ..children import Ended, kill_group
from ..host import Host

LIMIT_S = 60.0


class OwnChecks:
    """Runs the checks of the queue's settings; `then` gets their results, in their order."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._results: list[CheckResult] = []
        self._left = 0

    def run(self, then: Callable[[list[CheckResult]], None]) -> None:
        checks = self._host.queue.checks
        self._left = len(checks)
        self._results = [CheckResult(check.name) for check in checks]
        if not checks:
            then([])
        for check, result in zip(checks, self._results):
            self._start(check, result, then)

    def _start(self, check: Check, result: CheckResult, then: Callable[[list[CheckResult]], None]) -> None:
        begin = time.monotonic()
        path = os.path.join(self._host.base, f"check-{check.name}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        env = {**self._host.base_env, **self._host.queue.env}
        late: list[bool] = []

        def ended(end: Ended) -> None:
            timer.cancel()
            said = os.pread(fd, 4096, 0).decode(errors="replace").strip()
            os.close(fd)
            os.unlink(path)
            result.took_ms = round((time.monotonic() - begin) * 1000, 1)
            result.ok, result.said = _judge(check, end.status, said, bool(late))
            self._left -= 1
            if not self._left:
                then(self._results)

        def too_late() -> None:
            late.append(True)
            kill_group(pid, signal.SIGKILL)

        pid = self._host.children.start("/bin/sh", ["/bin/sh", "-c", check.run], env, self._host.base, fd, fd, ended)
        timer = self._host.loop.later(LIMIT_S, too_late)


def _judge(check: Check, status: int, said: str, late: bool) -> tuple[bool, str]:
    if late:
        return False, f"did not end within {LIMIT_S:.0f} s"
    code = status >> 8 if not status & 0x7F else -(status & 0x7F)
    if code != check.expect_rc:
        return False, f"exit code {code}, expected {check.expect_rc}: {said}"[:1000]
    if check.expect is not None and check.expect not in said:
        return False, f"its output does not hold {check.expect!r}: {said}"[:1000]
    return True, said[:200]
