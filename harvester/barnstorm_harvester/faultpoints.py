"""Named points at which the harvester kills itself, for tests of what survives: BARNSTORM_FAULT=NAME[:N].

before_plan, after_plan      around asking the server for a worker
before_submit, after_submit  around the batch system's submission
after_record                 when the batch system's answer has been written down
"""

import os
import signal

_NAME, _, _COUNT = os.environ.get("BARNSTORM_FAULT", "").partition(":")
_left = int(_COUNT or 1)


def reach(name: str) -> None:
    """End this process as `kill -9` would, where the environment asks for it at this point."""
    global _left
    if name != _NAME:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
