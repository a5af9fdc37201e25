"""The child processes of `jobctl up`: started, watched, started again when they die."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Optional

_PR_SET_PDEATHSIG = 1
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STABLE_S = 60.0


class Child:
    """One program, in a session of its own: the terminal's Ctrl-C reaches only `jobctl up`. It ends with that one."""

    def __init__(self, name: str, words: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.words, self.env, self.log = name, words, env, log
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.retry_at = 0.0
        self._pause = FIRST_PAUSE_S
        self._started = 0.0

    def start(self) -> None:
        self._started = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                start_new_session=True,
                preexec_fn=_ends_with_parent(),
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ended(self) -> Optional[str]:
        """How it ended, in words; None while it runs, or when that was told before. Sets when it may start again."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.process = None
        if time.monotonic() - self._started > STABLE_S:
            self._pause = FIRST_PAUSE_S
        self.retry_at = time.monotonic() + self._pause
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE_S)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the {self.name} {how}; starting it again in {pause:g} s (log: {self.log})"

    def tell(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def last_lines(self, most: int = 5) -> list[str]:
        """The end of its log."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(0, self.log.stat().st_size - 8192))
                return file.read().decode(errors="replace").splitlines()[-most:]
        except OSError:
            return []


def _ends_with_parent() -> Optional[Callable[[], None]]:
    """What the new process does first: ask the kernel for a SIGTERM when its parent is gone (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
