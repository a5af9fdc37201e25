"""Long polls: look, and look again each time something rings, until there is something, the time is over, or the
client left.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

T = TypeVar("T")


async def until(
    request: Request, look: Callable[[], Awaitable[T | None]], heard: asyncio.Event, wait_s: float
) -> T | None:
    """What `look` finds within `wait_s`, or None. It looks at least once, and not for a client that has gone.

    When the server stops, the time is over.
    """
    wakeups = request.app.state.services.wakeups
    end = time.monotonic() + wait_s
    while True:
        heard.clear()
        found = await look()
        left = end - time.monotonic()
        if found is not None or left <= 0 or wakeups.is_stopping:
            return found
        try:
            await asyncio.wait_for(heard.wait(), left)
        except TimeoutError:
            return await look()
        if await request.is_disconnected():
            return None
