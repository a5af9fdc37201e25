"""What a harvester asks of the server."""

from typing import Any

from ..model.base import from_wire, to_wire
from ..model.workers import (
    Demand,
    HarvesterHello,
    HarvesterOrders,
    PlannedWorker,
    WorkerReport,
    WorkerReports,
    WorkersPlanned,
)
from .connection import Connection, quoted


class HarvesterApi:
    """The harvester's calls, under its own name. Raises ApiError or Unreachable."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name

    def heartbeat(self, hello: HarvesterHello) -> HarvesterOrders:
        return from_wire(HarvesterOrders, self.connection.json("POST", self._path("heartbeat"), to_wire(hello)))

    def demand(self, queue: str, version: int = -1, wait_s: float = 0) -> Demand:
        """A queue's demand; with the `version` last seen it waits up to `wait_s` for another one."""
        query = {"version": version, "wait_s": wait_s}
        path = f"/v1/queues/{quoted(queue)}/demand"
        return from_wire(Demand, self.connection.json("GET", path, query=query, timeout_s=wait_s + 30))

    def plan(self, queue: str, planned: WorkersPlanned) -> list[PlannedWorker]:
        """Make workers known before they are submitted; a plan with a key used before gives the same worker."""
        answer = self.connection.json("POST", f"/v1/queues/{quoted(queue)}/workers", to_wire(planned))
        return [from_wire(PlannedWorker, one) for one in answer["workers"]]

    def report(self, workers: list[WorkerReport]) -> list[dict[str, Any]]:
        """Tell workers' states; a word for each comes back."""
        answer = self.connection.json("POST", self._path("workers"), to_wire(WorkerReports(workers)))
        return list(answer["results"])

    def workers(self) -> list[dict[str, Any]]:
        """The live workers that the server knows as this harvester's."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.connection.json(
                "GET", self._path("workers"), query={"state": "live", "cursor": cursor, "limit": 1000}
            )
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def _path(self, rest: str) -> str:
        return f"/v1/harvesters/{quoted(self.name)}/{rest}"
