"""Named points at which the process kills itself, for tests of what survives. Set only by tests:
BARNSTORM_FAULT=name[:n].
"""

import os
import signal

_TOLD = os.environ.get("BARNSTORM_FAULT", "")
_BEFORE, _, _COUNT = _TOLD.rpartition(":")
_NAME, _left = (_BEFORE, int(_COUNT)) if _COUNT.isdecimal() else (_TOLD, 1)


def reach(name: str) -> None:
    """Kill this process, as `kill -9` would, when it comes to the named point the n-th time."""
    global _left
    if name != _NAME:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
