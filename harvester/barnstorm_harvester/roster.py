"""One queue's workers in memory, and on disk before anything is done with them."""

from collections import Counter
from collections.abc import Iterable

from .rules.supply import LiveWorker, Phase, Supply
from .store import UNSUBMITTED, Store, Worker

_MINUTE_S = 60.0
# How long a pilot that has just come may still be about to take its first jobs, unless newer demand tells.
_SETTLE_S = 2.0


class Roster:
    """The workers of a queue. One thread changes it; others may look (`live`, `dirty`), and see a moment of it."""

    def __init__(self, store: Store, queue: str) -> None:
        self._store = store
        self._workers = {worker.key: worker for worker in store.of_queue(queue)}
        self._from_before = {worker.key for worker in self._workers.values() if worker.in_batch}
        self._came: dict[str, tuple[float, int]] = {}

    def save(self, workers: Iterable[Worker]) -> None:
        """Keep workers as they are now: new ones and changed ones."""
        workers = list(workers)
        self._store.put(workers)
        for worker in workers:
            self._workers[worker.key] = worker
            if worker.ended:
                self._came.pop(worker.key, None)

    def drop(self, workers: Iterable[Worker]) -> None:
        keys = [worker.key for worker in workers]
        self._store.drop(keys)
        for key in keys:
            del self._workers[key]

    def live(self) -> list[Worker]:
        """All that have not ended, also those that were never submitted."""
        return [worker for worker in list(self._workers.values()) if not worker.ended]

    def in_state(self, *states: str) -> list[Worker]:
        return [worker for worker in list(self._workers.values()) if worker.state in states]

    def unsubmitted(self) -> list[Worker]:
        """Planned ones that the batch system certainly does not have."""
        return self.in_state(*UNSUBMITTED)

    def dirty(self) -> list[Worker]:
        """Those of which the server has yet to be told something. What it never heard of needs no telling."""
        return [worker for worker in list(self._workers.values()) if worker.dirty and worker.worker]

    def awaited(self) -> list[Worker]:
        """Those in the batch system whose pilot has not come yet, as far as is known."""
        return [worker for worker in self.in_state("submitted", "running") if not worker.pilot]

    def by_id(self, workers: Iterable[str]) -> list[Worker]:
        """Live workers by the server's ids."""
        wanted = set(workers)
        return [worker for worker in self.live() if worker.worker in wanted]

    def ids(self) -> set[str]:
        return {worker.worker for worker in list(self._workers.values()) if worker.worker}

    def expired(self, before: float) -> list[Worker]:
        """Those that ended long ago, and of which the server knows."""
        return [
            one
            for one in list(self._workers.values())
            if one.ended and not one.dirty and (one.ended_at or 0.0) < before
        ]

    def came(self, worker: Worker, pilot: str, now: float, demand_version: int) -> None:
        """A worker's pilot has come. Until newer demand, or a moment, shows what it takes it is still on its way.

        Not so after a restart, with one that has been at work since before.
        """
        worker.pilot = pilot
        if pilot != "busy" or worker.key not in self._from_before:
            self._came[worker.key] = (now, demand_version)

    def settling(self) -> bool:
        """Whether a pilot has come so lately that what it takes is not seen yet."""
        return bool(self._came)

    def supply(self, now: float, silent_after_s: float, demand_version: int) -> Supply:
        """What there is, as the rules see it. What can be submitted again is not there yet."""
        for key, (at, version) in list(self._came.items()):
            if version != demand_version or now - at > _SETTLE_S:
                del self._came[key]
        supply, ended = Supply(), Counter[str]()
        for worker in list(self._workers.values()):
            new = worker.submitted_at is not None and now - worker.submitted_at < _MINUTE_S
            if worker.in_batch:
                supply.workers.append(
                    LiveWorker(worker.lane, worker.shape, self._phase(worker, now, silent_after_s), new)
                )
            elif worker.ended and new:
                ended[worker.lane] += 1
        supply.ended_new = dict(ended)
        return supply

    def _phase(self, worker: Worker, now: float, silent_after_s: float) -> Phase:
        if worker.pilot and worker.key not in self._came:
            return "arrived"
        since = worker.started_at if worker.state == "running" and not worker.pilot else None
        silent_since = min((at for at in (worker.unknown_since, since) if at is not None), default=now)
        if now - silent_since > silent_after_s:
            return "silent"
        return "starting" if worker.state == "running" or worker.pilot else "waiting"
