"""The pilot's one thread that decides: it waits for signals, ended children, timers and what other threads hand it."""

import contextlib
import fcntl
import heapq
import os
import select
import signal
import time
from collections import deque
from typing import Any, Callable

Callback = Callable[[], None]


class Timer:
    """A callback to come; `cancel` makes it not come."""

    __slots__ = ("call",)

    def __init__(self, call: Callback) -> None:
        self.call = call

    def cancel(self) -> None:
        self.call = _nothing


def _nothing() -> None:
    return None


class Loop:
    """Runs callbacks one after the other, so that the pilot's state needs no locks."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for fd in (self._read, self._write):
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)
        self._posted: deque[Callback] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._got: set[int] = set()
        self._asleep = False
        self._running = True
        self.on_signal: Callable[[int], None] = lambda number: None

    def catch(self, *numbers: int) -> None:
        """Have `on_signal` called for these signals, on this thread, soon after they come."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, self._note)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

    def _note(self, number: int, frame: Any) -> None:
        self._got.add(number)

    def post(self, call: Callback) -> None:
        """Have a callback run by the loop; for any thread."""
        self._posted.append(call)
        if self._asleep:
            with contextlib.suppress(BlockingIOError):  # it is full of reasons to wake up
                os.write(self._write, b"\0")

    def later(self, delay_s: float, call: Callback) -> Timer:
        """Have a callback run after a time; only for the loop's own thread."""
        timer = Timer(call)
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + delay_s, self._count, timer))
        return timer

    def sleep(self, seconds: float) -> bool:
        """Before `run`: wait, and tell whether a signal came meanwhile."""
        until = time.monotonic() + seconds
        while not self._got and time.monotonic() < until:
            self._poll.poll(int((until - time.monotonic()) * 1000) + 1)
        return bool(self._got)

    def stop(self) -> None:
        """End `run` after the present callback."""
        self._running = False

    def run(self) -> None:
        """Run until `stop`."""
        while self._running:
            self._wait()
            while self._got:
                self.on_signal(self._got.pop())
            for _ in range(len(self._posted)):
                self._posted.popleft()()
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now and self._running:
                heapq.heappop(self._timers)[2].call()

    def _wait(self) -> None:
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else 3600.0
        # Whoever posts after this line writes to the pipe, so what he posted is not overslept.
        self._asleep = True
        if self._posted or self._got:
            timeout = 0.0
        # Rounded up: a timer that is due in 0.3 ms must not be polled for in a circle.
        ready = self._poll.poll(int(timeout * 1000) + (timeout > 0))
        self._asleep = False
        if ready:
            with contextlib.suppress(BlockingIOError):  # an empty pipe is as good
                os.read(self._read, 4096)
