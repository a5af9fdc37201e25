"""The states of each noun, their legal transitions and which are terminal: one table per noun.

Code, the diagrams in the docs and the tests are driven by these tables; nothing else in the system lists states.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """The states of one noun. `moves` maps each state to the states that may follow it; a state without any is
    terminal.
    """

    noun: str
    moves: dict[str, tuple[str, ...]]

    @property
    def states(self) -> list[str]:
        return list(self.moves)

    @property
    def terminal(self) -> frozenset[str]:
        return frozenset(state for state, after in self.moves.items() if not after)

    @property
    def live(self) -> frozenset[str]:
        return frozenset(self.moves) - self.terminal

    def may(self, old: str, new: str) -> bool:
        """Whether `old` → `new` is a legal transition."""
        return new in self.moves.get(old, ())


_JOB_ENDS = ("finished", "failed", "cancelled")

JOB = Machine(
    "job",
    {
        "defined": ("activated", "held", "closed", "cancelled"),
        "activated": ("sent", "held", "closed", "cancelled", "defined"),
        "held": ("activated", "defined", "closed", "cancelled"),
        "sent": ("starting", "running", "transferring", "activated", *_JOB_ENDS),
        "starting": ("running", "transferring", "activated", *_JOB_ENDS),
        "running": ("transferring", "activated", *_JOB_ENDS),
        "transferring": ("activated", *_JOB_ENDS),
        "finished": (),
        "failed": (),
        "cancelled": (),
        "closed": (),
    },
)

_ATTEMPT_ENDS = ("succeeded", "failed", "cancelled", "lost")

ATTEMPT = Machine(
    "attempt",
    {
        "leased": ("starting", "running", "transferring", "returned", *_ATTEMPT_ENDS),
        "starting": ("running", "transferring", *_ATTEMPT_ENDS),
        "running": ("transferring", *_ATTEMPT_ENDS),
        "transferring": _ATTEMPT_ENDS,
        "succeeded": (),
        "failed": (),
        "cancelled": (),
        "lost": (),
        "returned": (),
    },
)

TASK = Machine(
    "task",
    {
        "registered": ("ready", "broken", "cancelled", "failed"),
        "ready": ("scouting", "running", "paused", "exhausted", "finished", "subfinished", "failed", "cancelled"),
        "scouting": ("running", "paused", "exhausted", "finished", "subfinished", "failed", "cancelled"),
        "running": ("paused", "exhausted", "finished", "subfinished", "failed", "cancelled"),
        "paused": ("ready", "scouting", "running", "exhausted", "cancelled", "failed"),
        "exhausted": ("ready", "scouting", "running", "paused", "cancelled", "failed", "subfinished"),
        "finished": (),
        "subfinished": (),
        "failed": (),
        "cancelled": (),
        "broken": (),
    },
)

WORKFLOW = Machine(
    "workflow",
    {
        "registered": ("running", "cancelled", "failed"),
        "running": ("paused", "finished", "subfinished", "failed", "cancelled"),
        "paused": ("running", "cancelled", "failed"),
        "finished": (),
        "subfinished": (),
        "failed": (),
        "cancelled": (),
    },
)

WORKER = Machine(
    "worker",
    {
        "planned": ("submitted", "running", "finished", "failed", "cancelled", "lost"),
        "submitted": ("running", "finished", "failed", "cancelled", "lost"),
        "running": ("finished", "failed", "cancelled", "lost"),
        "finished": (),
        "failed": (),
        "cancelled": (),
        "lost": (),
    },
)

PILOT = Machine(
    "pilot",
    {
        "starting": ("validating", "idle", "busy", "draining", "gone", "lost"),
        "validating": ("idle", "busy", "draining", "gone", "lost"),
        "idle": ("busy", "draining", "gone", "lost"),
        "busy": ("idle", "draining", "gone", "lost"),
        "draining": ("gone", "lost"),
        "gone": (),
        "lost": (),
    },
)

CONTENT = Machine(
    "content",
    {
        "new": ("staging", "available", "failed"),
        "staging": ("available", "failed"),
        "available": ("processing", "failed"),
        "processing": ("processed", "available", "failed"),
        "processed": (),
        "failed": (),
    },
)

MACHINES = (JOB, ATTEMPT, TASK, WORKFLOW, WORKER, PILOT, CONTENT)

# What screens say for the finer job states; `show` and JSON keep the finer ones.
JOB_WORDS = {
    "defined": "waiting",
    "activated": "waiting",
    "held": "waiting",
    "sent": "starting",
    "starting": "starting",
    "running": "running",
    "transferring": "running",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
    "closed": "closed",
}
