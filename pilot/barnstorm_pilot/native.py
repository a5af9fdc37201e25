"""The few calls of Linux that Python's library has no name for. Without them the pilot works, less tightly."""

import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        return int(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)) == 0
    except (ImportError, OSError, AttributeError):
        return False


def adopt_orphans() -> bool:
    """Become the parent of every descendant whose own parent ends, so that a daemon cannot slip away."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> bool:
    """Keep other processes of this user out of our memory, environment and open files: the tokens are there.

    The kernel undoes it at an exec, so payloads are as they always were.
    """
    return _prctl(_PR_SET_DUMPABLE, 0)


def signal_when_parent_dies(signal_number: int, parent: int) -> bool:
    """Have this process sent a signal when its parent ends; the parent must have forked it from its main thread.

    (The kernel watches the forking *thread*, not the process.) A parent that ended already counts.
    """
    done = _prctl(_PR_SET_PDEATHSIG, signal_number)
    if done and os.getppid() != parent:
        os.kill(os.getpid(), signal_number)
    return done
