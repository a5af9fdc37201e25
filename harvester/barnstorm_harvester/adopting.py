"""Workers that the server knows as this harvester's and that are not in its own database: it was lost, or put back."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from barnstorm.model.base import from_wire
from barnstorm.model.shape import Shape
from barnstorm_plugins.submitters.base import Place, Submitted, Submitter

from .foreign import asking
from .journal import Journal
from .roster import Roster
from .store import Worker


def adopt(
    strangers: Iterable[Mapping[str, Any]], roster: Roster, submitter: Submitter, place: Place, journal: Journal
) -> None:
    """Take in what is found in the batch system; end for the server what is not. Raises SubmitterBusy."""
    known = roster.ids()
    unknown = [one for one in strangers if one["id"] not in known]
    if not unknown:
        return
    with asking(journal, "find"):
        found = submitter.find(place.labels())
    taken = [_taken(one, found.get(one["id"]), place.queue) for one in unknown]
    for worker in taken:
        journal.warning("worker was not in the database", worker=worker.worker, state=worker.state)
    roster.save(taken)


def _taken(one: Mapping[str, Any], there: Submitted | None, queue: str) -> Worker:
    now = time.time()
    worker = Worker(one["id"], queue, one.get("lane") or "", from_wire(Shape, one.get("shape") or {}), one["id"])
    worker.planned_at, worker.dirty = now, True
    if there is None:
        worker.state, worker.ended_at = "lost", now
        worker.message = "neither the harvester's database nor the batch system knows it"
        return worker
    worker.key = there.key or worker.key
    worker.batch_id, worker.node, worker.submitted_at = there.batch_id, there.node, now
    worker.state = "running" if there.running else "submitted"
    worker.started_at = now if there.running else None
    return worker
