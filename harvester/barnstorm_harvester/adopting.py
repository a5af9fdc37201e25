"""Workers that the server knows as this harvester's and that are not in its own database: it was lost, or put back."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from barnstorm.model.base import from_wire
from barnstorm.model.shape import Shape
from barnstorm_plugins.submitters.base import Place, Submitter

from .journal import Journal
from .roster import Roster
from .store import Worker


def adopt(
    strangers: Iterable[Mapping[str, Any]], roster: Roster, submitter: Submitter, place: Place, journal: Journal
) -> None:
    """Take in what is found in the batch system; end for the server what is not. Raises what `find` raises."""
    known = roster.ids()
    unknown = [one for one in strangers if one["worker"] not in known]
    if not unknown:
        return
    found, now = submitter.find(place.labels()), time.time()
    taken = []
    for one in unknown:
        there = found.get(one["worker"])
        key = there.key if there is not None and there.key else str(one.get("key") or one["worker"]).rsplit("/", 1)[-1]
        worker = Worker(
            key, place.queue, one.get("lane") or "", from_wire(Shape, one.get("shape") or {}), one["worker"]
        )
        worker.planned_at, worker.dirty = now, True
        if there is not None:
            worker.state, worker.batch_id, worker.node = (
                "running" if there.running else "submitted",
                there.batch_id,
                there.node,
            )
            worker.submitted_at = now
            worker.started_at = now if there.running else None
        else:
            worker.state, worker.ended_at = "lost", now
            worker.message = "neither the harvester's database nor the batch system knows it"
        journal.warning(
            "worker adopted" if there else "worker unknown here", worker=worker.worker, batch_id=worker.batch_id
        )
        taken.append(worker)
    roster.save(taken)
