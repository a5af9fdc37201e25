"""Who and what a test needs: users, a queue, pilots that run nothing, tasks."""

import hashlib
import itertools
from typing import Any

from tests.services.server import Server

from barnstorm.api.pilot import PilotApi
from barnstorm.model.collection import Collection, Numbers
from barnstorm.model.payload import CommandPayload
from barnstorm.model.pilots import (
    Heartbeat,
    HeartbeatAnswer,
    HeldAttempt,
    LeaseAnswer,
    LeaseRequest,
    PilotHello,
    PilotWelcome,
    Report,
    ReportResult,
)
from barnstorm.model.shape import Shape
from barnstorm.model.task import TaskSpec

BIG = Shape(cores=8, memory_mib=64_000, disk_mib=100_000)


def array(count: int) -> Collection:
    return Numbers(f"0-{count - 1}")


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class FakePilot:
    """A registered pilot that says what a test has it say."""

    def __init__(self, api: PilotApi, welcome: PilotWelcome) -> None:
        self.api, self.welcome = api, welcome
        self.id = welcome.pilot
        self.token = welcome.token

    def lease(self, most: int = 1, wait_s: float = 0.0, free: Shape = BIG, **request: Any) -> LeaseAnswer:
        return self.api.lease(self.id, LeaseRequest(free=free, max=most, wait_s=wait_s, **request))

    def grant(self) -> str:
        (grant,) = self.lease().grants
        return grant.attempt

    def report(self, attempt: str, state: str = "succeeded", **fields: Any) -> ReportResult:
        told = Report(attempt, state, **fields)  # type: ignore[arg-type]
        return self.lease(0, reports=[told]).results[0]

    def beat(self, *held: str, state: str = "running", **fields: Any) -> HeartbeatAnswer:
        named = [HeldAttempt(attempt, state) for attempt in held]  # type: ignore[arg-type]
        return self.api.heartbeat(self.id, Heartbeat(held=named, state="busy", **fields))


class Cast:
    """One test's own names on a server. Ada is in group `rubin`-of-the-test; Bob is nobody to her."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.queue, self.group = f"q-{name}", f"rubin-{name}"
        self._keys = itertools.count(1)
        self.ada_token = server.token("user", f"ada-{name}", groups=[self.group])
        self.bob_token = server.token("user", f"bob-{name}")
        self.ada, self.bob = server.people(self.ada_token), server.people(self.bob_token)
        self.admin = server.admin()
        self.admin.apply_queue({"name": self.queue, "site": f"s-{name}", "accepts": {"tags": [self.tag]}})

    @property
    def tag(self) -> str:
        """Only this test's queue offers it, and its jobs ask for it: so pilots of other tests get none of them."""
        return f"only-{self.name}"

    def key(self) -> str:
        return f"{self.name}-{next(self._keys)}"

    def spec(self, **fields: Any) -> TaskSpec:
        made = TaskSpec(**{"payload": CommandPayload(["true"]), **fields})
        made.needs.tags = [*made.needs.tags, self.tag]
        return made

    def submit(self, **fields: Any) -> int:
        """A task of Ada's."""
        return int(self.ada.submit(self.spec(**fields))["id"])

    def join(self, queue: str = "", uses: int = 1) -> str:
        """A join token for this test's queue."""
        return str(self.admin.issue_token(kind="join", subject="w", queues=[queue or self.queue], uses=uses)["token"])

    def pilot(self, patience_s: float = 0.0, shape: Shape = BIG, queue: str = "") -> FakePilot:
        hello = PilotHello(key=self.key(), queue=queue or self.queue, shape=shape, node="n1")
        welcome = self.server.pilot(self.join(queue), patience_s).hello(hello)
        return FakePilot(self.server.pilot(welcome.token, patience_s), welcome)

    def upload(self, data: bytes, token: str = "") -> str:
        """Store bytes as Ada's, or another's."""
        digest = digest_of(data)
        said = self.server.ask("PUT", f"/v1/blobs/{digest}", token or self.ada_token, data)
        assert said.status in (200, 201), said
        return digest
