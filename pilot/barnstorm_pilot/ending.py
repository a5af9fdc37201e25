"""What a payload's end means: state, exit code or signal, fault and message of its report. Rules without I/O."""

import signal
from dataclasses import dataclass
from typing import Optional

from barnstorm.model.shape import Shape


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended."""

    state: str
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    fault: str = ""
    message: str = ""


@dataclass(frozen=True)
class Killed:
    """Why the pilot ended a payload: a fault's code, and a sentence for a person."""

    fault: str
    message: str


def judge(status: int, killed: Optional[Killed], oom_killed: bool, needs: Shape, peak_kb: float) -> Verdict:
    """The verdict on a payload's wait status. `killed`: by the pilot. `oom_killed`: the kernel killed for memory."""
    code = status >> 8 if not status & 0x7F else None
    number = status & 0x7F or None
    if killed is not None:
        state = "cancelled" if killed.fault == "killed" else "failed"
        return Verdict(state, code, number, killed.fault, killed.message)
    if code == 0:
        return Verdict("succeeded", 0)
    if oom_killed and (number == signal.SIGKILL or code == 128 + signal.SIGKILL):
        had = f"it had at least {peak_kb / 1024:,.0f} MiB, and asked for {needs.memory_mib:,}"
        said = f"killed by the kernel for memory: {had}"
        return Verdict("failed", code, number, "memory", said)
    if number is not None:
        return Verdict("failed", None, number, "signal", f"ended by {signal_name(number)}")
    return Verdict("failed", code, None, "exit", f"exit code {code}{_shell_signal(code or 0)}")


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _shell_signal(code: int) -> str:
    """A shell tells a signal of its child as 128 + number; said as what it may be, not as what it was."""
    if not 128 < code < 128 + 65:
        return ""
    return f", as a shell tells {signal_name(code - 128)}"
