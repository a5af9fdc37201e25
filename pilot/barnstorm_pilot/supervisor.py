"""Two processes make a pilot: this small parent, and its child, the agent that does the work.

A payload must not outlive a pilot that is killed with SIGKILL, and neither may the daemons it left. Nothing inside a
killed process can see to that, so its parent does: it asked the kernel for the orphans of its descendants, so whatever
the agent leaves becomes its child, however it changed its session, its group or its environment, and is killed. A
death signal on each payload would not do: it reaches no grandchildren, and it follows the thread that forked. When
the parent is the one that is killed, the agent gets SIGTERM from the kernel and leaves as if told to. The agent has a
session of its own, so that a signal for the parent's group does not end both at once. All this costs nothing per job.
"""

import contextlib
import os
import signal
import sys
import time
from typing import Callable

from . import exits, native, proc
from .workdir import remove_tree

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGXCPU)
_SWEEP_S = 5.0


Tell = Callable[[str], None]


def run_supervised(agent: Callable[[Tell], int]) -> int:
    """Run `agent` in a child process, hand signals on to it, and clean up behind it; returns its exit code.

    What the agent tells by its argument is the directory to remove, should it not come to that itself.
    """
    native.adopt_orphans()
    native.hide_memory()
    parent = os.getpid()
    hear, tell = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    # Signals wait until they can be handed on: none may end the parent before.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.fork()
    if child == 0:
        os.close(hear)
        os._exit(_agent(agent, tell, parent))
    os.close(tell)
    for number in FORWARDED:
        signal.signal(number, lambda got, _: _hand_on(child, got))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    _, status = os.waitpid(child, 0)
    sweep()
    if status != 0:
        _remove(os.read(hear, 4096).decode())
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _agent(agent: Callable[[Tell], int], tell: int, parent: int) -> int:
    """In the child: everything from here on is the agent's."""
    code = exits.CRASHED

    def tell_path(path: str) -> None:
        os.write(tell, path.encode())

    try:
        os.setsid()
        native.hide_memory()
        native.signal_when_parent_dies(signal.SIGTERM, parent)
        code = agent(tell_path)
    except BaseException:  # noqa: BLE001 - said, and told by the exit code; there is nobody above to raise it to
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
    return code


def _remove(path: str) -> None:
    """Remove the directory of an agent that was killed."""
    if not path:
        return
    try:
        remove_tree(path)
    except OSError as error:
        sys.stderr.write(f"barnstorm-pilot: {path} is left behind: {error}\n")


def _hand_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(child, number)


def sweep(patience_s: float = _SWEEP_S) -> int:
    """Kill all that is still below this process; returns how many processes that were."""
    killed = set()
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        _reap()
        left = proc.below(os.getpid())
        if not left:
            break
        for pid in left:
            killed.add(pid)
            # It may be gone, or have become another user's (a set-user-id program).
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    return len(killed)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
