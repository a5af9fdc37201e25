"""Whether a job gets another try after an attempt that did not succeed. A value with its reason."""

from dataclasses import dataclass

from barnstorm.model.faults import FAULTS

# A fault of a site or of the system costs the user nothing, but a job that meets them without end is not hopeful
# either.
FREE_TRIES = 10
BACKOFF_S = 5.0
LONGEST_BACKOFF_S = 600.0


@dataclass(frozen=True)
class RetryDecision:
    """`again`: the job waits for another attempt, not before `delay_s` from now. `spends`: this try counted."""

    again: bool
    spends: bool
    delay_s: float
    reason: str


def decide(state: str, fault: str, *, retries: int, spent: int, free_tries: int) -> RetryDecision:
    """Decide after an attempt ended in `state` (failed, lost, returned, cancelled) with a fault's code.

    `retries`: the task's budget of further tries; `spent`: tries that counted before this one;
    `free_tries`: those that did not.
    """
    if state == "returned":
        return RetryDecision(True, False, 0.0, "given back before it began")
    if state == "cancelled":
        return RetryDecision(False, False, 0.0, "killed")
    known = FAULTS.get(fault or ("lost" if state == "lost" else "exit"))
    if known is not None and known.blame != "user":
        if free_tries < FREE_TRIES:
            delay = min(LONGEST_BACKOFF_S, BACKOFF_S * 2**free_tries) if state == "failed" else 0.0
            return RetryDecision(True, False, delay, f"{known.meaning}: costs no retry")
        return RetryDecision(False, True, 0.0, f"{known.meaning}, for the {FREE_TRIES + 1}th time")
    if spent < retries:
        return RetryDecision(True, True, 0.0, f"retry {spent + 1} of {retries}")
    return RetryDecision(
        False,
        True,
        0.0,
        f"no retries left of {retries}" if retries else "a payload's own failure is not retried unless asked",
    )
