"""The screen of a queue: its status, lanes with the last decisions, workers and jobs."""

import json
from typing import Any, Optional

from .layout import bold, indented, labelled, styled
from .tables import Column, printable
from .words import ago, by_word, clock, counted, needs_text

View = dict[str, Any]


def lines(_noun: str, _name: str, queue: View) -> list[str]:
    """Head, marks, a line a lane with why there are as many workers, what the queue accepts."""
    config = queue.get("config") or {}
    submitter = config.get("submitter") or {"type": "local"}
    seen = f" (seen {ago(queue['harvester_seen_at'])} ago)" if queue.get("harvester_seen_at") else ""
    who = f"harvester {queue['harvester']}{seen}" if queue.get("harvester") else "no harvester serves it"
    where = " · ".join(part for part in (queue.get("site"), submitter.get("type"), who) if part)
    changed = f"config {queue['version']}, {ago(queue.get('updated_at'))} ago" if queue.get("version") else ""
    status = str(queue.get("status") or "online")
    return [
        f"{bold(str(queue['name']))}   {where}   {changed}".rstrip(),
        styled(status.upper(), status),
        *["  " + mark_text(mark) for mark in queue.get("marks") or []],
        "",
        *_lanes(queue),
        *labelled(
            [
                ("Jobs", counted(queue.get("jobs"))),
                ("Workers", _workers(queue.get("workers"))),
                ("Worker", _worker(config.get("worker"))),
                ("Accepts", accepts_text(config.get("accepts"))),
                ("Limits", _plain(config.get("limits"))),
                ("Contact", config.get("contact")),
                ("Note", config.get("note")),
            ]
        ),
        "",
        f"more: jobctl explain {queue['name']}   jobctl queue show {queue['name']} -o json",
    ]


def mark_text(mark: View) -> str:
    """`#3 brokeroff until 23 Nov 08:00 by anna: "Butler outage"`."""
    until = f" until {clock(mark['until'])}" if mark.get("until") else ""
    why = f': "{printable(str(mark["why"]))}"' if mark.get("why") else ""
    return f"#{mark.get('id')} {mark['status']}{until} by {mark.get('who') or '?'}{why}"


def _lanes(queue: View) -> list[str]:
    lanes = queue.get("lanes") or []
    if not lanes:
        return []
    return ["Lanes", *indented(lanes, LANES), ""]


def _decision(lane: View) -> Optional[str]:
    decision = lane.get("decision")
    if not decision:
        return None
    why = printable(str(decision.get("why") or ""))
    return f"{int(decision.get('change', 0)):+d}: {why} ({clock(decision.get('at'))})"


def _count(*states: str) -> Any:
    return lambda lane: sum(int((lane.get("workers") or {}).get(state, 0)) for state in states)


LANES = (
    Column("LANE", lambda lane: lane["lane"]),
    Column("JOBS WAITING", lambda lane: int(lane.get("waiting") or 0), right=True),
    Column("WORKERS RUNNING", _count("running"), right=True),
    Column("ON THEIR WAY", _count("planned", "submitted"), right=True),
    Column("WHY THIS MANY", _decision),
)


def _workers(workers: Optional[dict[str, int]]) -> str:
    return " · ".join(f"{count:,} {state}" for state, count in (workers or {}).items() if count) or "none"


def _worker(worker: Any) -> Optional[str]:
    if worker == "job":
        return "as large as its job"
    if worker == "node":
        return "a whole node"
    return needs_text(worker) if worker else None


def accepts_text(accepts: Optional[View]) -> str:
    """`cores up to 64 · memory_mib 1,000 to 225,280 · tags cvmfs`."""
    parts = []
    for key, value in (accepts or {}).items():
        if isinstance(value, dict):
            parts.append(f"{key} {_range(value)}")
        elif value:
            parts.append(f"{key} {', '.join(value) if isinstance(value, list) else value}")
    return " · ".join(parts) or "every job"


def _range(value: View) -> str:
    low, high = value.get("min"), value.get("max")
    models = f" ({', '.join(value['model'])})" if value.get("model") else ""
    if low is not None and high is not None:
        return f"{low:,} to {high:,}{models}"
    if high is not None:
        return f"up to {high:,}{models}"
    return (f"from {low:,}" if low is not None else "any") + models


def _plain(values: Optional[View]) -> str:
    return " · ".join(
        f"{key} {value:,}" if isinstance(value, int) else f"{key} {json.dumps(value)}"
        for key, value in (values or {}).items()
    )


def jobs_of(queue: View, word: str) -> int:
    """How many jobs of a queue are in the states of a word."""
    return by_word(queue.get("jobs")).get(word, 0)
