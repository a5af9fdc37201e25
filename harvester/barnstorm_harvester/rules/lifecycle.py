"""What a batch system's word about a worker means for its state.

Unknown is never failed, and absent is never ended at once: a worker is lost only when at least two full answers lacked
it and a grace time has passed since the first of them.
"""

from dataclasses import dataclass, replace

from barnstorm.model.states import WORKER

_MISSING_ANSWERS = 2


@dataclass(frozen=True)
class Life:
    """Where a worker stands. `unknown_since` and `missing_since` are epoch seconds, None where neither holds."""

    state: str
    missing: int = 0
    missing_since: float | None = None
    unknown_since: float | None = None

    @property
    def ended(self) -> bool:
        return self.state in WORKER.terminal


def advance(life: Life, word: str, now: float, grace_s: float) -> Life:
    """The life after one word of the batch system (of `Status.word`). An ended worker stays as it ended."""
    if life.ended:
        return life
    if word == "unknown":
        since = life.unknown_since if life.unknown_since is not None else now
        return replace(life, unknown_since=since)
    if word == "absent":
        return _absent(life, now, grace_s)
    return Life(_forward(life.state, "submitted" if word == "waiting" else word))


def _absent(life: Life, now: float, grace_s: float) -> Life:
    since = life.missing_since if life.missing_since is not None else now
    missing = life.missing + 1
    lost = missing >= _MISSING_ANSWERS and now - since >= grace_s
    return Life("lost" if lost else life.state, missing, since)


def _forward(state: str, seen: str) -> str:
    """A state never goes back: a requeued worker that waits again stays what it was."""
    return seen if WORKER.may(state, seen) else state
