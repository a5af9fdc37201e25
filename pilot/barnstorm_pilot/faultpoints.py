"""Named points at which the pilot kills itself: BARNSTORM_FAULT=NAME[:N]. Set only by tests of what survives.

A harvester hands only BARNSTORM_PILOT_… on to its pilots, so BARNSTORM_PILOT_FAULT is read as well.

after_grant                   the server granted an attempt, nothing was done with it
before_spawn, after_spawn     around the start of a payload
before_report, after_report   around the call that carries a report
"""

import os
import signal

_NAME, _, _COUNT = (os.environ.get("BARNSTORM_PILOT_FAULT") or os.environ.get("BARNSTORM_FAULT", "")).partition(":")
_left = int(_COUNT or 1)


def reach(name: str) -> None:
    """End this process as `kill -9` would, when it comes to the named point the n-th time."""
    global _left
    if name != _NAME:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
