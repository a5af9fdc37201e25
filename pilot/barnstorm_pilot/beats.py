"""Heartbeats: each period, and soon after an attempt got a new state."""

import time
from typing import Callable, Optional

from barnstorm.model.pilots import Clock, Heartbeat, HeartbeatAnswer

from .host import Host
from .line import Line, is_passing

# Between two heartbeats that only tell news.
NEWS_S = 0.2
# So soon again after one that failed.
AGAIN_S = 0.5

Heard = Callable[[HeartbeatAnswer], None]


class Beats:
    """Sends what `compose` makes; `heard` gets the answers, `failed` the errors and says whether they are the end."""

    def __init__(
        self,
        host: Host,
        clock: Clock,
        compose: Callable[[], Heartbeat],
        heard: Heard,
        failed: Callable[[str, BaseException], bool],
    ) -> None:
        self._host, self.clock = host, clock
        self._compose, self._heard, self._failed = compose, heard, failed
        self._line = Line(host.loop, "beat")
        self._last = 0.0
        self._news_due = False
        self._ended = False

    def go_on(self) -> None:
        """Send one when it is due, and look again in time. Called once, it goes on by itself."""
        if self._ended:
            return
        due = self._last + self.clock.heartbeat_s - time.monotonic()
        if due <= 0 and self._line.free:
            self._send()
            due = self.clock.heartbeat_s
        self._host.loop.later(min(max(due, 0.05), 2.0), self.go_on)

    def news(self) -> None:
        """Attempts have new states: tell them soon, but not one by one."""
        if not self._news_due:
            self._news_due = True
            self._host.loop.later(max(0.0, self._last + NEWS_S - time.monotonic()), self._tell_news)

    def end(self) -> None:
        """Send no more."""
        self._ended = True

    def _tell_news(self) -> None:
        self._news_due = False
        if self._line.free and not self._ended:
            self._send()

    def _send(self) -> None:
        self._last = time.monotonic()
        beat = self._compose()
        self._line.call(lambda: self._host.api.heartbeat(self._host.pilot, beat), self._answered)

    def _answered(self, answer: Optional[HeartbeatAnswer], error: Optional[BaseException]) -> None:
        if answer is not None:
            self.clock = answer.clock
            self._heard(answer)
        elif error is not None and not self._failed("heartbeat", error) and is_passing(error):
            self._last = time.monotonic() - self.clock.heartbeat_s + AGAIN_S
