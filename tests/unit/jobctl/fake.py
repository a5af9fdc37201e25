"""A small server with the answers of the protocol, kept in memory: what the tests of jobctl talk to."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "good-token"


def task_view(number: int, **more: Any) -> dict[str, Any]:
    view = {
        "id": number,
        "name": "",
        "state": "running",
        "owner": "anna",
        "group": "",
        "labels": {},
        "priority": 0,
        "jobs": 1,
        "counts": {"running": 1},
        "waits_for": [],
        "created_at": 1_700_000_000.0,
        "ended_at": None,
        "reason": "",
        "retry_of": None,
        "spec": {"payload": {"kind": "command", "argv": ["true"]}},
    }
    return {**view, **more}


def job_view(task: int, index: int, **more: Any) -> dict[str, Any]:
    view = {
        "id": f"{task}.{index}",
        "task": task,
        "index": index,
        "name": "",
        "owner": "anna",
        "state": "running",
        "word": "running",
        "attempts": 1,
        "queue": "local",
        "node": "node1",
        "pilot": "p1",
        "exit_code": None,
        "fault": "",
        "message": "",
        "created_at": 1_700_000_000.0,
        "started_at": 1_700_000_001.0,
        "ended_at": None,
        "peak_memory_mib": None,
        "cpu_s": None,
        "wall_s": None,
        "needs": {"cores": 1, "memory_mib": 2000, "walltime_s": 3600, "disk_mib": 1000, "gpus": 0},
        "values": {},
        "attempt_list": [],
        "outputs": [],
    }
    return {**view, **more}


@dataclass
class Fake:
    """The state of the server. `answers` overrides a (method, path) with (status, body); `calls` records requests."""

    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[tuple[str, int, str], bytes] = field(default_factory=dict)
    outputs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    things: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    explanations: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    events: threading.Event = field(default_factory=threading.Event)

    def add_output(self, task: int, index: int, name: str, data: bytes, digest: str = "") -> None:
        blob = digest or hashlib.sha256(data).hexdigest()
        output = {"job": f"{task}.{index}", "index": index, "name": name, "blob": blob, "size": len(data)}
        self.outputs.setdefault(task, []).append(output)
        self.files[f"{task}.{index}", name] = data

    def bodies(self, method: str, path: str) -> list[Any]:
        return [body for verb, where, body in self.calls if verb == method and where.partition("?")[0] == path]


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.body = {"error": {"code": code, "message": message, **more}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: Fake

    def log_message(self, *_args: Any) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        body: Any = raw
        if self.headers.get("Content-Type") == "application/json":
            body = json.loads(raw)
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        self.fake.calls.append((self.command, self.path, body))
        headers: dict[str, str] = {}
        try:
            if (self.command, path) in self.fake.answers:
                status, answer = self.fake.answers[self.command, path]
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "unauthenticated", "the token is not good")
            else:
                status, answer = Routes(self.fake, query, body, headers).answer(self.command, path)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        data = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle


class Routes:
    """The protocol's routes, as far as people use them."""

    def __init__(self, fake: Fake, query: dict[str, str], body: Any, headers: dict[str, str]) -> None:
        self.fake, self.query, self.body, self.headers = fake, query, body, headers

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        parts = path.split("/")[2:]
        found = getattr(self, f"{method.lower()}_{parts[0].replace('.', '_')}", None)
        if found is None:
            raise Refusal(404, "not_found", f"there is no {path}")
        answer: tuple[int, Any] = found(*parts[1:])
        return answer

    def _page(self, items: list[Any]) -> tuple[int, Any]:
        start, limit = int(self.query.get("cursor", 0)), int(self.query.get("limit", 100))
        more = start + limit < len(items)
        return 200, {"items": items[start : start + limit], "next": str(start + limit) if more else None}

    def get_whoami(self) -> tuple[int, Any]:
        who = {"subject": "anna", "kind": "user", "groups": ["rubin"], "roles": [], "queues": [], "expires_at": 2e9}
        return 200, who

    def post_tasks(self, *rest: str) -> tuple[int, Any]:
        number = max(self.fake.tasks, default=0) + 1
        if rest:
            view = task_view(number, jobs=2, retry_of=int(rest[0]), counts={"activated": 2})
        else:
            over = self.body["spec"].get("over") or {}
            jobs = over.get("count") or len(over.get("files") or over.get("rows") or [0])
            view = task_view(number, jobs=jobs, spec=self.body["spec"], counts={"activated": jobs})
        self.fake.tasks[number] = view
        return 201, view

    def get_tasks(self, number: str = "", what: str = "", *_rest: str) -> tuple[int, Any]:
        if not number:
            return self._page(sorted(self.fake.tasks.values(), key=lambda one: -one["id"]))
        if int(number) not in self.fake.tasks:
            raise Refusal(404, "not_found", f"there is no task {number}", ids=[number])
        if what == "jobs":
            return self._page([one for one in self.fake.jobs.values() if one["task"] == int(number)])
        if what == "outputs":
            found = self.fake.outputs.get(int(number), [])
            if "job" in self.query:
                found = [one for one in found if one["index"] == int(self.query["job"])]
            return self._page([one for one in found if self.query.get("name") in (None, one["name"])])
        if what == "explain":
            return 200, self.fake.explanations[number]
        return 200, self.fake.tasks[int(number)]

    def get_jobs(self, name: str = "", what: str = "", *rest: str) -> tuple[int, Any]:
        if not name:
            return self._page(list(self.fake.jobs.values()))
        if what == "outputs":
            return 200, self.fake.files[name, "/".join(rest)]
        if name not in self.fake.jobs:
            raise Refusal(404, "not_found", f"there is no job {name}", ids=[name])
        if what == "explain":
            return 200, self.fake.explanations[name]
        if what == "log":
            return self._log(name)
        return 200, self.fake.jobs[name]

    def _log(self, name: str) -> tuple[int, Any]:
        job = self.fake.jobs[name]
        attempt = int(self.query.get("attempt", job["attempts"]))
        data = self.fake.logs.get((name, attempt, self.query["stream"]), b"")[int(self.query["offset"]) :]
        over = job["state"] in ("finished", "failed") or attempt < job["attempts"]
        self.headers["X-Barnstorm-Attempt"] = str(attempt)
        self.headers["X-Barnstorm-Offset"] = self.query["offset"]
        self.headers["X-Barnstorm-Complete"] = "true" if over else "false"
        return 200, data[:10]

    def post_kill(self) -> tuple[int, Any]:
        return 200, {"killed": len(self.body["ids"]), "already_ended": 0}

    def get_events(self) -> tuple[int, Any]:
        after = int(self.query["after"])
        if after >= 0:
            self.fake.events.wait(float(self.query["wait_s"]))
        task = int(self.query.get("task", 1))
        return 200, {"items": [{"id": after + 1, "task": task}] if after >= 0 else [], "next": after + 1}

    def head_blobs(self, digest: str) -> tuple[int, Any]:
        return (200 if digest in self.fake.blobs else 404), None

    def put_blobs(self, digest: str) -> tuple[int, Any]:
        assert hashlib.sha256(self.body).hexdigest() == digest
        self.fake.blobs[digest] = self.body
        return 201, {"blob": digest, "size": len(self.body)}

    def get_queues(self, name: str = "", what: str = "") -> tuple[int, Any]:
        if not name:
            return self._page(list(self.fake.queues.values()))
        if name not in self.fake.queues:
            raise Refusal(404, "not_found", f"there is no queue {name}")
        if what == "explain":
            return 200, self.fake.explanations[name]
        if what == "decisions":
            return 200, {"items": [{"lane": "all", "at": 1_700_000_000.0, "change": 2, "why": "4 wait"}]}
        return 200, self.fake.queues[name]

    def put_queues(self, name: str) -> tuple[int, Any]:
        self.fake.queues[name] = {"name": name, "status": "online", "marks": [], "config": self.body, "version": 1}
        return 200, self.fake.queues[name]

    def post_queues(self, name: str, _marks: str) -> tuple[int, Any]:
        mark = {"id": 7, "status": self.body["status"], "why": self.body["why"], "who": "anna"}
        self.fake.queues[name]["marks"].append(mark)
        return 201, mark

    def delete_queues(self, name: str, _marks: str, mark: str) -> tuple[int, Any]:
        left = [one for one in self.fake.queues[name]["marks"] if one["id"] != int(mark)]
        self.fake.queues[name]["marks"] = left
        return 204, None

    def _things(self, noun: str, name: str) -> tuple[int, Any]:
        items = self.fake.things.get(noun, [])
        if not name:
            return self._page(items)
        found = [one for one in items if name in (one.get("id"), one.get("name"))]
        if not found:
            raise Refusal(404, "not_found", f"there is no {name}")
        return 200, found[0]

    def get_workers(self, name: str = "") -> tuple[int, Any]:
        return self._things("workers", name)

    def get_pilots(self, name: str = "") -> tuple[int, Any]:
        return self._things("pilots", name)

    def get_harvesters(self, name: str = "") -> tuple[int, Any]:
        return self._things("harvesters", name)

    def get_tokens(self) -> tuple[int, Any]:
        return self._things("tokens", "")

    def post_workers(self, name: str, _kill: str) -> tuple[int, Any]:
        return 200, {"id": name}

    def post_tokens(self) -> tuple[int, Any]:
        return 201, {"jti": "4f2a", "token": "secret-text", "expires_at": 2e9}

    def delete_tokens(self, _jti: str) -> tuple[int, Any]:
        return 204, None


def serve(fake: Fake) -> tuple[ThreadingHTTPServer, str]:
    """Start serving in a thread; gives the server (shut it down) and its URL."""
    handler = type("Bound", (Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"
