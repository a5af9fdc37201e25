"""What users, operators and their tools ask of the server. Views are JSON objects as
`docs/architecture/protocol.md` says.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from ..model.base import to_wire
from ..model.task import TaskSpec
from .connection import Connection, quoted

View = dict[str, Any]


@dataclass
class LogChunk:
    """A piece of a log: `data` begins at `offset` of attempt `attempt`; `complete`: nothing follows after it."""

    data: bytes
    offset: int
    attempt: int
    complete: bool


class PeopleApi:
    """Tasks, jobs, queues, tokens and the rest, for people. Raises ApiError or Unreachable."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def server(self) -> View:
        return self._get("/v1")

    def whoami(self) -> View:
        return self._get("/v1/whoami")

    def submit(self, spec: TaskSpec, key: Optional[str] = None) -> View:
        """Submit a task; with the same `key` a repeat gives the first one's view."""
        return self.submit_document(to_wire(spec), key)

    def submit_document(self, spec: dict[str, Any], key: Optional[str] = None) -> View:
        """Submit a task given as a JSON document; the server says what is wrong with it."""
        return self._post("/v1/tasks", {"key": key or new_key(), "spec": spec}, timeout_s=120)

    def tasks(self, **filters: Any) -> Iterator[View]:
        """Tasks, newest first. Filters: state, user, name, label (k=v, a list), limit (in all)."""
        return self._pages("/v1/tasks", filters)

    def task(self, task: int) -> View:
        return self._get(f"/v1/tasks/{task}")

    def jobs(self, task: Optional[int] = None, **filters: Any) -> Iterator[View]:
        """Jobs of one task by index, or of all tasks, newest first. Filters: state, queue, user, limit (in all)."""
        return self._pages("/v1/jobs" if task is None else f"/v1/tasks/{task}/jobs", filters)

    def job(self, job: str) -> View:
        return self._get(f"/v1/jobs/{job}")

    def explain(self, noun: str, name: str) -> View:
        """Why a job, task or queue is as it is; `noun` is "jobs", "tasks" or "queues"."""
        return self._get(f"/v1/{noun}/{quoted(name)}/explain")

    def kill(self, ids: list[str], reason: str = "") -> View:
        return self._post("/v1/kill", {"ids": ids, "reason": reason})

    def retry(self, task: int, jobs: Optional[str] = None, key: Optional[str] = None) -> View:
        """A new task of the failed (or the named) jobs of an ended one."""
        return self._post(f"/v1/tasks/{task}/retry", {"key": key or new_key(), "jobs": jobs})

    def log(
        self, job: str, stream: str = "stdout", offset: int = 0, attempt: Optional[int] = None, wait_s: float = 0
    ) -> LogChunk:
        query = {"stream": stream, "offset": offset, "attempt": attempt, "wait_s": wait_s}
        answer = self.connection.send("GET", f"/v1/jobs/{job}/log", query=query, timeout_s=wait_s + 30)
        headers = answer.headers
        return LogChunk(
            answer.body,
            int(headers.get("x-barnstorm-offset", offset)),
            int(headers.get("x-barnstorm-attempt", 0)),
            headers.get("x-barnstorm-complete") == "true",
        )

    def outputs(self, task: int, **filters: Any) -> Iterator[View]:
        """Output files of a task's finished jobs. Filters: name, job (an index), limit (in all)."""
        return self._pages(f"/v1/tasks/{task}/outputs", filters)

    def output(self, job: str, name: str) -> Iterator[bytes]:
        """The bytes of one output file."""
        return self.connection.download(f"/v1/jobs/{job}/outputs/{quoted(name)}")

    def events(self, after: int = -1, task: Optional[int] = None, wait_s: float = 30, limit: int = 1000) -> View:
        """The next events: {"items", "next"}; give `next` as `after` of the following call."""
        query = {"after": after, "task": task, "wait_s": wait_s, "limit": limit}
        return self._get("/v1/events", query, timeout_s=wait_s + 30)

    def queues(self) -> Iterator[View]:
        return self._pages("/v1/queues", {})

    def queue(self, name: str) -> View:
        return self._get(f"/v1/queues/{quoted(name)}")

    def apply_queue(self, config: dict[str, Any]) -> View:
        """Store a queue's description (with `extends` already resolved)."""
        return dict(self.connection.json("PUT", f"/v1/queues/{quoted(str(config.get('name', '')))}", config))

    def decisions(self, queue: str) -> list[View]:
        return list(self._get(f"/v1/queues/{quoted(queue)}/decisions")["items"])

    def mark(self, queue: str, status: str, why: str = "", until: Optional[float] = None) -> View:
        body = {"key": new_key(), "status": status, "why": why, "until": until}
        return self._post(f"/v1/queues/{quoted(queue)}/marks", body)

    def unmark(self, queue: str, mark: int) -> None:
        self.connection.json("DELETE", f"/v1/queues/{quoted(queue)}/marks/{mark}")

    def things(self, noun: str, **filters: Any) -> Iterator[View]:
        """Workers, pilots, harvesters or tokens; `noun` is the plural. Filters: queue, state, limit (in all)."""
        return self._pages(f"/v1/{noun}", filters)

    def thing(self, noun: str, name: str) -> View:
        return self._get(f"/v1/{noun}/{quoted(name)}")

    def kill_worker(self, worker: str, reason: str = "") -> View:
        return self._post(f"/v1/workers/{worker}/kill", {"reason": reason})

    def issue_token(self, **wanted: Any) -> View:
        """A new token: kind, subject, groups, queues, ttl_s, uses."""
        return self._post("/v1/tokens", wanted)

    def revoke_token(self, jti: str) -> None:
        self.connection.json("DELETE", f"/v1/tokens/{quoted(jti)}")

    def _get(self, path: str, query: Optional[dict[str, Any]] = None, timeout_s: float = 30.0) -> View:
        return dict(self.connection.json("GET", path, query=query, timeout_s=timeout_s))

    def _post(self, path: str, body: Any, timeout_s: float = 30.0) -> View:
        return dict(self.connection.json("POST", path, body, timeout_s=timeout_s))

    def _pages(self, path: str, filters: dict[str, Any]) -> Iterator[View]:
        left = filters.pop("limit", None)
        cursor = None
        while left is None or left > 0:
            page = self._get(path, {**filters, "cursor": cursor, "limit": min(1000, left or 1000)})
            yield from page["items"][:left]
            cursor = page["next"]
            if cursor is None:
                return
            left = None if left is None else left - len(page["items"])


def new_key() -> str:
    """A key for a request that creates something."""
    return uuid.uuid4().hex
