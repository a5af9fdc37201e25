"""Patience with a server that is away or busy while files travel."""

import random
import time
from typing import Callable, TypeVar

from barnstorm.api.errors import ApiError, Busy, Unreachable

from .base import Abandoned, StageContext

T = TypeVar("T")


def with_patience(action: Callable[[], T], context: StageContext) -> T:
    """`action`'s result; tried again while the server is away, busy or out of order, and somebody waits for it."""
    until = time.monotonic() + context.patience_s
    pause = 0.1
    while True:
        context.check()
        try:
            return action()
        except (Busy, Unreachable, ApiError) as error:
            passing = isinstance(error, (Busy, Unreachable)) or error.status >= 500
            if not passing or time.monotonic() + pause > until:
                raise
        if context.given_up.wait(pause * random.uniform(0.5, 1.5)):
            raise Abandoned(context.attempt)
        pause = min(pause * 2, 5.0)
