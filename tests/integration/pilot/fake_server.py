"""A server in a thread that speaks the pilot's part of the protocol, remembers all, and misbehaves when told to."""

import base64
import hashlib
import http.server
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from barnstorm.model.base import from_wire, to_wire
from barnstorm.model.ids import parse_attempt
from barnstorm.model.payload import CommandPayload, Payload, ScriptPayload
from barnstorm.model.pilots import Grant, Report, TaskBody
from barnstorm.model.queue import PilotSettings
from barnstorm.model.shape import Shape

LIVE = ("waiting", "leased", "starting", "running", "transferring")


@dataclass
class Job:
    """One job with one attempt."""

    attempt: str
    grant: Grant
    body: TaskBody
    state: str = "waiting"
    report: Report | None = None
    reports: int = 0
    logs: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})
    samples: list[dict[str, float]] = field(default_factory=list)
    started_at: float = 0.0
    reported_at: float = 0.0
    log_at: list[tuple[float, int]] = field(default_factory=list)

    @property
    def stdout(self) -> str:
        return self.logs["stdout"].decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.logs["stderr"].decode(errors="replace")


class FakeServer:
    """Grants what was submitted to the one pilot that comes. `away`: calls are cut off without an answer."""

    def __init__(self, **settings: Any) -> None:
        self.changed = threading.Condition()
        self.settings = PilotSettings(**settings)
        self.jobs: dict[str, Job] = {}
        self.blobs: dict[str, bytes] = {}
        self.outputs: dict[int, list[dict[str, Any]]] = {}
        self.commands: list[dict[str, str]] = []
        self.calls: list[tuple[str, str]] = []
        self.hellos: list[dict[str, Any]] = []
        self.beats: list[dict[str, Any]] = []
        self.leases: list[dict[str, Any]] = []
        self.goodbye: dict[str, Any] | None = None
        self.away = False
        self.unknown = False
        self.refused = ""
        self.hello_status = 201
        self.lose_answers: dict[str, int] = {}
        self.answer_html: dict[str, int] = {}
        self.stale: set[str] = set()
        self.grant_twice = False
        self.idle_s = 30.0
        self.heartbeat_s = 1.0
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.fake = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=lambda: self._http.serve_forever(0.05), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # --- what tests do ---

    def submit(self, payload: Payload | list[str], *, task: int = 0, values: Any = None, **more: Any) -> Job:
        """Offer a job, of a new task unless `task` names one (whose body it must share).

        `more` are fields of its needs (cores, memory_mib, …) or of its task (env, inputs, outputs).
        """
        if isinstance(payload, list):
            payload = CommandPayload(payload)
        body = {name: more.pop(name) for name in ("env", "inputs", "outputs", "owner") if name in more}
        file = more.pop("file", None)
        with self.changed:
            task = task or 1 + max((job.body.task for job in self.jobs.values()), default=0)
            index = sum(1 for job in self.jobs.values() if job.body.task == task)
            attempt = f"{task}.{index}/1"
            needs = Shape(**{"memory_mib": 100, "walltime_s": 60, "disk_mib": 100, **more})
            job = Job(
                attempt,
                Grant(attempt, needs, values or {}, file),
                TaskBody(task, body.pop("owner", "ann"), payload, **body),
            )
            self.jobs[attempt] = job
            self.changed.notify_all()
        return job

    def sh(self, text: str, **more: Any) -> Job:
        """A job that is a shell script."""
        return self.submit(ScriptPayload(text), **more)

    def command(self, verb: str, attempt: str = "", why: str = "test") -> None:
        with self.changed:
            self.commands.append({"verb": verb, "attempt": attempt, "why": why})
            self.changed.notify_all()

    def blob(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def wait(self, condition: Any, what: str = "", timeout_s: float = 20.0) -> Any:
        """The first true value of `condition()`, looked at after each call that comes in."""
        end = time.monotonic() + timeout_s
        with self.changed:
            while True:
                found = condition()
                if found:
                    return found
                left = end - time.monotonic()
                assert left > 0, f"waited {timeout_s:g} s in vain for {what or condition}; calls: {self.calls[-20:]}"
                self.changed.wait(min(left, 0.2))

    def ended(self, job: Job) -> Report:
        """The job's report, when it has come."""
        found: Report = self.wait(lambda: job.report, f"the end of {job.attempt}")
        return found

    # --- what the pilot does ---

    def hello(self, told: dict[str, Any]) -> dict[str, Any]:
        self.hellos.append(told)
        return {
            "pilot": "p7",
            "token": "pilot-token",
            "clock": self.clock(),
            "settings": to_wire(self.settings),
            "server_time": time.time(),
            "idle_s": self.idle_s,
            "refused": self.refused,
        }

    def clock(self) -> dict[str, float]:
        return {"heartbeat_s": self.heartbeat_s, "lease_s": 60.0}

    def lease(self, told: dict[str, Any]) -> dict[str, Any]:
        self.leases.append(told)
        results = [self._accept(from_wire(Report, one)) for one in told.get("reports", [])]
        end = time.monotonic() + (0.0 if results or not told.get("max", 1) else told.get("wait_s", 0.0))
        while True:
            answer = {
                "results": results,
                "clock": self.clock(),
                **self._grants(told),
                "commands": self._take_commands(),
            }
            left = end - time.monotonic()
            if answer["grants"] or answer["commands"] or left <= 0 or self.away:
                return answer
            self.changed.wait(min(left, 0.5))

    def _grants(self, told: dict[str, Any]) -> dict[str, Any]:
        free, room = {"cores": 1, "memory_mib": 2000, "disk_mib": 1000, **told["free"]}, told.get("max", 1)
        named = {*told.get("held", []), *(one["attempt"] for one in told.get("reports", []))}
        ahead = told.get("ahead", 0)
        grants = []
        for job in self.jobs.values():
            again = job.state == "leased" and (job.attempt not in named or self.grant_twice)
            if (job.state != "waiting" and not again) or len(grants) >= room:
                continue
            needs = job.grant.needs
            if all(getattr(needs, name) <= free[name] for name in ("cores", "memory_mib", "disk_mib")):
                for name in ("cores", "memory_mib", "disk_mib"):
                    free[name] -= getattr(needs, name)
            elif ahead > 0:
                ahead -= 1
            elif not again:
                continue
            job.state = "leased"
            grants.append(job)
        tasks = {str(job.body.task): to_wire(job.body) for job in grants}
        return {"grants": [to_wire(job.grant) for job in grants], "tasks": tasks}

    def _accept(self, report: Report) -> dict[str, Any]:
        job = self.jobs.get(report.attempt)
        if job is None or report.attempt in self.stale:
            return {"attempt": report.attempt, "status": "stale", "why": "it is not yours"}
        job.reports += 1
        for piece in report.logs:
            self.append(job, piece.stream, piece.offset, base64.b64decode(piece.data))
        if job.report is not None:
            return {"attempt": report.attempt, "status": "repeated"}
        job.report, job.state, job.reported_at = report, report.state, time.monotonic()
        return {"attempt": report.attempt, "status": "accepted"}

    def heartbeat(self, told: dict[str, Any]) -> dict[str, Any]:
        self.beats.append(told)
        commands = self._take_commands()
        for held in told.get("held", []):
            job = self.jobs.get(held["attempt"])
            if job is None or job.state not in LIVE:
                commands.append({"verb": "stop", "attempt": held["attempt"], "why": "not yours"})
                continue
            if job.state != held.get("state", "leased"):
                job.state = held.get("state", "leased")
                job.started_at = job.started_at or time.monotonic()
            if held.get("sample"):
                job.samples.append(held["sample"])
        if told.get("leaving"):
            self.goodbye = told
        return {"commands": commands, "clock": self.clock()}

    def _take_commands(self) -> list[dict[str, str]]:
        taken, self.commands = self.commands, []
        return taken

    def append(self, job: Job, stream: str, offset: int, data: bytes) -> int | None:
        """Keep a piece of a log; None when there is a gap before it."""
        log = job.logs[stream]
        if offset > len(log):
            return None
        log += data[len(log) - offset :]
        job.log_at.append((time.monotonic(), len(log)))
        return len(log)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50
    fake: FakeServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A pilot that was killed leaves broken connections; that is no error here."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at `calls`."""

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_HEAD = do_GET

    def _handle(self) -> None:
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path)
        with fake.changed:
            fake.calls.append((self.command, path.path))
            if fake.away:
                return self._cut()
            status, answer = self._route(fake, path.path, parse_qs(path.query), body)
            fake.changed.notify_all()
            kind = path.path.rsplit("/", 1)[-1]
            if fake.away:
                return self._cut()
            if fake.lose_answers.get(kind, 0) > 0:
                fake.lose_answers[kind] -= 1
                return self._cut()
            if fake.answer_html.get(kind, 0) > 0:
                fake.answer_html[kind] -= 1
                status, answer = 502, b"<html>bad gateway</html>"
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _route(self, fake: FakeServer, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if path == "/v1":
            return 200, {"name": "barnstorm", "version": "0", "api": 1}
        if path == "/v1/pilots":
            if fake.hello_status != 201:
                return fake.hello_status, _error("denied", "no")
            return 201, fake.hello(json.loads(body))
        if fake.unknown:
            return 404, _error("not_found", "no such pilot")
        if self.headers["Authorization"] != "Bearer pilot-token":
            return 401, _error("unauthenticated", "bad token")
        if path == "/v1/pilots/p7/lease":
            return 200, fake.lease(json.loads(body))
        if path == "/v1/pilots/p7/heartbeat":
            return 200, fake.heartbeat(json.loads(body))
        found = re.fullmatch(r"/v1/jobs/([0-9.]+)/attempts/([0-9]+)/log/(stdout|stderr)", path)
        if found:
            job = fake.jobs[str(parse_attempt(f"{found[1]}/{found[2]}"))]
            kept = fake.append(job, found[3], int(query["offset"][0]), body)
            if kept is None:
                have = len(job.logs[found[3]])
                return 409, {"error": {"code": "stale", "message": "a gap", "allowed": have}}
            return 200, {"offset": kept}
        if path.startswith("/v1/blobs/"):
            return self._blob(fake, path.rsplit("/", 1)[1], body)
        found = re.fullmatch(r"/v1/tasks/([0-9]+)/outputs", path)
        if found and int(found[1]) in fake.outputs:
            name = query.get("name", [None])[0]
            items = [one for one in fake.outputs[int(found[1])] if name in (None, one["name"])]
            return 200, {"items": items, "next": None}
        return 404, _error("not_found", path)

    def _blob(self, fake: FakeServer, digest: str, body: bytes) -> tuple[int, Any]:
        if self.command == "PUT":
            assert hashlib.sha256(body).hexdigest() == digest
            fake.blobs[digest] = body
            return 201, {"blob": digest, "size": len(body)}
        if digest not in fake.blobs:
            return 404, b"" if self.command == "HEAD" else _error("not_found", digest)
        return 200, fake.blobs[digest]


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
