"""What a pilot asks of the server."""

from collections.abc import Iterator
from typing import Any, Optional

from ..model.base import from_wire, to_wire
from ..model.ids import AttemptId
from ..model.pilots import (
    Heartbeat,
    HeartbeatAnswer,
    LeaseAnswer,
    LeaseRequest,
    PilotHello,
    PilotWelcome,
)
from .connection import Connection
from .errors import Stale


class PilotApi:
    """The pilot's calls. `hello` wants a connection with the join token, the others one with the pilot's own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def hello(self, hello: PilotHello) -> PilotWelcome:
        return from_wire(PilotWelcome, self.connection.json("POST", "/v1/pilots", to_wire(hello)))

    def lease(self, pilot: str, request: LeaseRequest) -> LeaseAnswer:
        timeout_s = request.wait_s + 30
        answer = self.connection.json("POST", f"/v1/pilots/{pilot}/lease", to_wire(request), timeout_s=timeout_s)
        return from_wire(LeaseAnswer, answer)

    def heartbeat(self, pilot: str, beat: Heartbeat) -> HeartbeatAnswer:
        return from_wire(HeartbeatAnswer, self.connection.json("POST", f"/v1/pilots/{pilot}/heartbeat", to_wire(beat)))

    def put_log(self, attempt: AttemptId, stream: str, offset: int, data: bytes) -> int:
        """Append to a log; returns how many bytes the server keeps, which is where the next piece begins."""
        path = f"/v1/jobs/{attempt.job}/attempts/{attempt.number}/log/{stream}"
        try:
            answer = self.connection.send(
                "PUT", path, {"Content-Type": "application/octet-stream"}, data, {"offset": offset}
            )
        except Stale as error:
            if isinstance(error.allowed, int):
                return error.allowed
            raise
        return int(_json(answer.body)["offset"])

    def outputs(self, task: int, attempt: str, name: Optional[str] = None) -> Iterator[dict[str, Any]]:
        """The outputs of a task that `attempt` lists among its inputs: {"job", "index", "name", "blob", "size"}."""
        cursor = None
        while True:
            query = {"attempt": attempt, "name": name, "cursor": cursor, "limit": 1000}
            page = self.connection.json("GET", f"/v1/tasks/{task}/outputs", query=query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def blob(self, digest: str, attempt: str) -> Iterator[bytes]:
        """The bytes of a blob that `attempt` needs."""
        return self.connection.download(f"/v1/blobs/{digest}", {"attempt": attempt})


def _json(body: bytes) -> Any:
    import json

    return json.loads(body)
