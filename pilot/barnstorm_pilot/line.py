"""One line to the server: a thread that makes one call at a time, and the pauses between tries when calls fail."""

import random
import time
from typing import Callable, Optional, TypeVar

from barnstorm.api.errors import ApiError, Busy, Denied, NotFound, Unreachable

from .loop import Loop
from .threads import Crew

T = TypeVar("T")
_LONGEST_PAUSE_S = 5.0


class Line:
    """A kept connection, used for one kind of call."""

    def __init__(self, loop: Loop, name: str) -> None:
        self._crew = Crew(loop, name, 1)
        self._pause_s = 0.0
        self._not_before = 0.0

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return self._crew.busy

    @property
    def free(self) -> bool:
        """Whether a call may be made now."""
        return not self._crew.busy and time.monotonic() >= self._not_before

    @property
    def failing(self) -> bool:
        """Whether the last call failed."""
        return self._pause_s > 0

    @property
    def wait_s(self) -> float:
        """How long to wait before the next try."""
        return max(0.0, self._not_before - time.monotonic())

    def call(self, work: Callable[[], T], done: Callable[[Optional[T], Optional[BaseException]], None]) -> None:
        """Make a call; `done` hears of its answer or error on the loop's thread."""

        def heard(answer: Optional[T], error: Optional[BaseException]) -> None:
            if error is None:
                self._pause_s = self._not_before = 0.0
            else:
                self._back_off(error)
            done(answer, error)

        self._crew.do(work, heard)

    def hold(self, seconds: float) -> None:
        """Make no call for a while."""
        self._not_before = time.monotonic() + seconds

    def _back_off(self, error: BaseException) -> None:
        self._pause_s = min(_LONGEST_PAUSE_S, max(0.1, self._pause_s * 2))
        pause = max(self._pause_s, error.retry_after_s) if isinstance(error, Busy) else self._pause_s
        self._not_before = time.monotonic() + pause * random.uniform(0.7, 1.3)


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later: the server is away, busy or out of order."""
    if isinstance(error, ApiError):
        return isinstance(error, Busy) or error.status >= 500
    return isinstance(error, Unreachable)


def is_unknown(error: BaseException) -> bool:
    """Whether the server says that it does not know this pilot (any more)."""
    return isinstance(error, (Denied, NotFound))
