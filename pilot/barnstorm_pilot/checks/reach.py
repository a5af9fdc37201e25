"""Can the server be reached, and what does its clock say? One small request answers both."""

import time
from email.utils import parsedate_to_datetime

from barnstorm.api.connection import Connection
from barnstorm.api.errors import ApiError, Unreachable

from . import Check

# A `Date` header has whole seconds, so the offset is known to about one.
MOST_OFFSET_S = 30.0


def reach_check(connection: Connection) -> Check:
    """Asks the server who it is. A wrong clock harms no job here (times travel as ages), but perhaps a payload."""

    def check() -> tuple[bool, str, bool]:
        begin = time.time()
        try:
            answer = connection.send("GET", "/v1", timeout_s=10)
        except (ApiError, Unreachable) as error:
            return False, str(error), False
        end = time.time()
        took = f"answers in {(end - begin) * 1000:.0f} ms"
        told = answer.headers.get("date")
        if not told:
            return True, f"{took}; says no time", False
        offset = (begin + end) / 2 - (parsedate_to_datetime(told).timestamp() + 0.5)
        said = f"{took}; this clock is {offset:+.0f} s off the server's"
        return abs(offset) < MOST_OFFSET_S, said, False

    return check
