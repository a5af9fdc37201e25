"""One directory per attempt, of which nothing stays; and paths that never lead out of it.

    <work dir>/<pilot>/<task>.<index>.<attempt>/stdout, stderr, prmon.txt
                                               /work/   the payload's working directory and home
                                               /tmp/    its TMPDIR

The logs lie outside of the payload's directory, and the pilot keeps them open: a payload that deletes all its files
loses no log.
"""

import errno
import itertools
import os
import stat

from barnstorm.model.ids import AttemptId


class PathEscapes(ValueError):
    """A path that leads out of the work directory."""


class WorkDir:
    """The directory of one attempt, with its two logs open from the start. Raises OSError when it cannot be made."""

    def __init__(self, base: str, attempt: AttemptId) -> None:
        self.path = os.path.join(base, f"{attempt.task}.{attempt.index}.{attempt.number}")
        self.work = self.path + "/work"
        self.tmp = self.path + "/tmp"
        os.mkdir(self.path, 0o700)
        self.logs: dict[str, int] = {}
        try:
            os.mkdir(self.work, 0o700)
            os.mkdir(self.tmp, 0o700)
            for name in ("stdout", "stderr"):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                self.logs[name] = os.open(f"{self.path}/{name}", flags, 0o600)
        except OSError:
            self.close_logs()
            remove_tree(self.path)
            raise

    def close_logs(self) -> None:
        """Let go of the logs; their bytes are gone with the directory."""
        for fd in self.logs.values():
            os.close(fd)
        self.logs = {}

    def is_bare(self) -> bool:
        """Whether the payload left nothing, so that removal costs next to nothing."""
        try:
            os.rmdir(self.work)
            os.rmdir(self.tmp)
        except OSError:
            return False
        return True

    def remove(self) -> None:
        """Remove all of it. What is gone already is no error."""
        remove_tree(self.path)


def confined(base: str, name: str) -> str:
    """`name` below `base`, as a path. Raises PathEscapes where its words lead elsewhere (links: see `open_regular`)."""
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or "\0" in name:
        raise PathEscapes(f"{name!r} does not stay below the work directory")
    path = os.path.normpath(os.path.join(base, name))
    if path == base:
        raise PathEscapes(f"{name!r} names the work directory itself")
    return path


def make_parents(base: str, path: str) -> None:
    """Make the directories above `path`, below `base`. Raises PathEscapes when one of them is a link to elsewhere."""
    parent = os.path.dirname(path)
    if not _is_below(os.path.realpath(parent), os.path.realpath(base)):
        raise PathEscapes(f"{parent} leads out of the work directory")
    os.makedirs(parent, mode=0o700, exist_ok=True)


def open_regular(base: str, name: str) -> int:
    """Open a payload's file for reading: a regular file whose real place is below `base`.

    Raises FileNotFoundError when there is none, PathEscapes for anything else that stands there.
    """
    path = confined(base, name)
    real = os.path.realpath(path)
    os.stat(path)
    if not _is_below(real, os.path.realpath(base)):
        raise PathEscapes(f"{name!r} is a link out of the work directory, to {real}")
    # Non-blocking: a pipe without a writer would stop us here for ever.
    fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise PathEscapes(f"{name!r} is no regular file")
    return fd


def _is_below(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")


def used_bytes(path: str) -> int:
    """What a tree takes on the disk; links are not followed, and what vanishes meanwhile counts nothing."""
    total, waiting = 0, [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                    except FileNotFoundError:
                        continue
        except OSError:
            continue  # it vanished, or its owner closed it: what can be seen must do
    return total


def remove_tree(path: str) -> None:
    """Remove a tree even where its owner took away his own rights to it. Links are removed, never followed."""
    try:
        parent = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        waiting = [os.path.basename(path)]
        while waiting:
            _Removal(parent, waiting).remove(parent, waiting.pop(), 0)
    finally:
        os.close(parent)


class _Removal:
    """Removes by descending, an open directory a level. What lies too deep for that is moved to the top first."""

    _DEEPEST = 64

    def __init__(self, top: int, waiting: list[str]) -> None:
        self._top, self._waiting = top, waiting

    def remove(self, parent: int, name: str, depth: int) -> None:
        try:
            os.unlink(name, dir_fd=parent)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.EPERM, errno.EACCES):
                raise
        if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            raise PermissionError(errno.EPERM, "cannot be removed", name)
        fd = _open_directory(parent, name)
        try:
            os.fchmod(fd, 0o700)
            for inner in os.listdir(fd):
                if depth < self._DEEPEST:
                    self.remove(fd, inner, depth + 1)
                else:
                    self._lift(fd, inner)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=parent)

    def _lift(self, parent: int, name: str) -> None:
        lifted = f".deep-{os.getpid()}-{next(_numbers)}"
        os.rename(name, lifted, src_dir_fd=parent, dst_dir_fd=self._top)
        self._waiting.append(lifted)


_numbers = itertools.count()


def _open_directory(parent: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except PermissionError:
        # chmod has no way not to follow links here; whoever could swap the directory for one has been killed.
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, flags, dir_fd=parent)
