"""What went wrong around a payload, as the fault that is reported."""

import errno

from barnstorm.model.template import UnknownPlaceholder

from .ending import Verdict
from .payload import CommandMissing
from .stage.base import Abandoned, StageFault

_FULL = (errno.ENOSPC, errno.EDQUOT)


def not_started(program: str, error: Exception) -> CommandMissing:
    """Why the system would not start a program that is there."""
    number = getattr(error, "errno", None)
    if number == errno.E2BIG:
        return CommandMissing(
            f"{program}: arguments and environment are longer than this system allows; use an input file"
        )
    if number == errno.ENOEXEC:
        return CommandMissing(f"{program} is no program of this machine, and has no #! line that names an interpreter")
    if number in (errno.EAGAIN, errno.ENOMEM):
        return CommandMissing(f"{program}: this node cannot start another process: {error}")
    return CommandMissing(f"{program}: {getattr(error, 'strerror', None) or error}")


def verdict_of(error: BaseException) -> Verdict:
    """The verdict for what went wrong around a payload."""
    if isinstance(error, StageFault):
        return Verdict("failed", fault=error.fault, message=error.message)
    if isinstance(error, CommandMissing):
        return Verdict("failed", fault="command_missing", message=str(error))
    if isinstance(error, UnknownPlaceholder):
        return Verdict("failed", fault="bad_placeholder", message=str(error))
    if isinstance(error, Abandoned):
        return Verdict("failed", fault="lost", message="the server no longer knows this attempt as ours")
    if isinstance(error, OSError) and error.errno in _FULL:
        return Verdict("failed", fault="disk_full", message=f"the node's disk is full: {error}")
    if isinstance(error, OSError):
        return Verdict("failed", fault="work_dir", message=f"the work directory cannot be used: {error}")
    return Verdict("failed", fault="pilot", message=f"{type(error).__name__}: {error}")
