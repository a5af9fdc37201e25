"""Child processes: starting them cheaply, and hearing of their ends at once (SIGCHLD wakes the loop; nothing polls)."""

import os
import resource
import signal
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple, Optional

from . import proc

# Python ignores these two; a payload must find them as every other program does.
_RESET = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]


class Ended(NamedTuple):
    """How a child ended: its wait status, what it used, and what it read and wrote (with all it waited for)."""

    status: int
    usage: "resource.struct_rusage"
    io: Optional[proc.IoCounts]


OnEnd = Callable[[Ended], None]


class Children:
    """The pilot's children. Orphans that the kernel gives us are reaped too, and belong to nobody here."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[OnEnd, Optional[int]]] = {}

    def start(
        self, path: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: int, stderr: int, on_end: OnEnd
    ) -> int:
        """Start a program in a session of its own, with stdin from /dev/null; returns its pid. Raises OSError.

        The working directory is set by going there and back: only the loop's thread starts programs, and no other
        thread uses relative paths. posix_spawn costs 0.1 ms; subprocess, which forks Python code, more than 1 ms.
        """
        os.chdir(cwd)
        try:
            pid = _spawn(path, argv, env, stdout, stderr)
        finally:
            os.chdir("/")
        self._waiting[pid] = on_end, _open_io(pid)
        return pid

    def is_ours(self, pid: int) -> bool:
        """Whether we started this process and have not yet seen its end."""
        return pid in self._waiting

    @property
    def running(self) -> list[int]:
        return list(self._waiting)

    def reap(self) -> None:
        """Take the status of all children that have ended; call for each that we started its `on_end`."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            on_end, io_fd = self._waiting.pop(pid, (None, None))
            io = None
            if on_end is not None:
                # It is still a zombie: its number cannot have been given to another group, and it still has its counts.
                io = _read_io(io_fd)
                kill_group(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            if on_end is not None:
                on_end(Ended(status, usage, io))


def _open_io(pid: int) -> Optional[int]:
    """A process's counts, opened while it lives: those of a zombie can still be read, but only root could open them."""
    try:
        return os.open(f"/proc/{pid}/io", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _read_io(fd: Optional[int]) -> Optional[proc.IoCounts]:
    if fd is None:
        return None
    try:
        return proc.parse_io(os.pread(fd, 1024, 0))
    except OSError:
        return None
    finally:
        os.close(fd)


def kill_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False when it is gone."""
    try:
        os.killpg(group, number)
        return True
    except (ProcessLookupError, PermissionError):
        return False


def _spawn(path: str, argv: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    try:
        return os.posix_spawn(
            path, list(argv), dict(env), file_actions=actions, setsid=True, setsigmask=(), setsigdef=_RESET
        )
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
        import subprocess

        child = subprocess.Popen(
            list(argv),
            executable=path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        child.returncode = 0  # the status is taken by `reap`; the object must not wait for it
        return child.pid
