"""A server as a harvester and its pilots see it, in memory, with handles for tests. It judges nothing by itself."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from barnstorm.model.states import WORKER

Body = dict[str, Any]


class FakeServer:
    """Knows queues, demand, workers by key, and reports. `changed` is notified with every request that changes one."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.queues: dict[str, Body] = {}
        self.demand: dict[str, Body] = {}
        self.workers: dict[str, Body] = {}
        self.by_key: dict[str, str] = {}
        self.pilots: dict[str, list[str]] = {}
        self.reports: list[Body] = []
        self.hellos: list[Body] = []
        self.decisions: list[Body] = []
        self.kills: set[str] = set()
        self.away = False
        self.plans = 0
        self.planned_at: list[float] = []
        self.every_s = 0.2
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        with self.changed:
            self.away = True
            self.changed.notify_all()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # --- what tests set ---

    def add_queue(self, name: str, **config: Any) -> None:
        with self.changed:
            self.queues[name] = {"name": name, **config}
            self.demand.setdefault(name, {"queue": name, "version": 1, "parts": []})
            self.changed.notify_all()

    def want(self, queue: str, jobs: int, cores: int = 1, lane: str = "all", memory_mib: int = 100) -> float:
        """Set a queue's demand to so many equal jobs; gives the time."""
        shape = {"cores": cores, "memory_mib": memory_mib, "walltime_s": 600, "disk_mib": 1}
        parts = [{"lane": lane, "shape": shape, "jobs": jobs}] if jobs else []
        with self.changed:
            self.demand[queue] = {**self.demand[queue], "version": self.demand[queue]["version"] + 1, "parts": parts}
            self.changed.notify_all()
        return time.time()

    def set_away(self, away: bool) -> None:
        with self.changed:
            self.away = away
            self.changed.notify_all()

    def wait(self, happened: Callable[[], Any], what: str, timeout_s: float = 20) -> Any:
        """Wait until a condition on what the server knows holds; gives its value."""
        with self.changed:
            until = time.monotonic() + timeout_s
            while not (value := happened()):
                left = until - time.monotonic()
                assert left > 0, f"never happened: {what}; workers {self.workers}; decisions {self.decisions[-3:]}"
                self.changed.wait(min(left, 0.05))
            return value

    def in_state(self, *states: str) -> list[str]:
        return [worker for worker, row in self.workers.items() if row["state"] in states]

    # --- what requests do ---

    def heartbeat(self, name: str, hello: Body) -> Body:
        self.hellos.append(hello)
        for queue, decisions in hello.get("decisions", {}).items():
            self.decisions += [{"queue": queue, **one} for one in decisions]
        if hello.get("stopping"):
            return {"every_s": self.every_s}
        served = [
            {"name": queue, "config": config, "config_version": 1, "status": self.demand[queue].get("status", "online")}
            for queue, config in self.queues.items()
        ]
        live = [worker for worker in self.kills if self.workers[worker]["state"] not in WORKER.terminal]
        return {"queues": served, "kill": live, "every_s": self.every_s}

    def plan(self, queue: str, planned: Body) -> Body:
        self.plans += 1
        self.planned_at.append(time.time())
        answers = []
        for plan in planned["workers"]:
            if plan["key"] not in self.by_key:
                worker = f"w{len(self.workers) + 1}"
                self.by_key[plan["key"]] = worker
                facts = {
                    "id": worker,
                    "queue": queue,
                    "state": "planned",
                    "harvester": planned["harvester"],
                    "pilot": None,
                }
                self.workers[worker] = {**facts, "lane": plan["lane"], "shape": plan["shape"], "why": plan.get("why")}
            worker = self.by_key[plan["key"]]
            answers.append({"key": plan["key"], "worker": worker, "join_token": f"join-{worker}"})
        return {"workers": answers}

    def report(self, reports: Body) -> Body:
        results = []
        for told in reports["workers"]:
            self.reports.append(told)
            row = self.workers.get(told["worker"])
            if row is None:
                results.append({"worker": told["worker"], "status": "stale", "state": None, "pilot": None})
                continue
            if row["state"] in WORKER.terminal:
                status = "repeated" if row["state"] == told["state"] else "stale"
            else:
                status = "accepted"
                row.update({**told, "unknown": told.get("unknown", False), "state": row["state"]})
                if WORKER.may(row["state"], told["state"]):
                    row["state"] = told["state"]
            pilot = "idle" if self.pilots.get(told["worker"]) else None
            results.append({"worker": told["worker"], "status": status, "state": row["state"], "pilot": pilot})
        return {"results": results}

    def register(self, token: str, hello: Body) -> Body:
        assert token == f"join-{hello['worker']}"
        self.pilots.setdefault(hello["worker"], []).append(hello["key"])
        self._take_jobs(hello["queue"], hello["shape"]["cores"])
        return {"pilot": "p1"}

    def _take_jobs(self, queue: str, cores: int) -> None:
        """A pilot takes as many waiting jobs as fit into its cores."""
        demand = self.demand[queue]
        left = [{**part, "jobs": part["jobs"] - cores // part["shape"]["cores"]} for part in demand["parts"]]
        parts = [part for part in left if part["jobs"] > 0]
        self.demand[queue] = {**demand, "version": demand["version"] + 1, "parts": parts}

    def live(self) -> Body:
        items = [{**row} for row in self.workers.values() if row["state"] not in WORKER.terminal]
        return {"items": items, "next": None}


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that is gone is what these tests are about."""


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            words = parts.path.strip("/").split("/")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if words[1] == "queues" and words[3] == "demand":
                self._demand(words[2], int(query["version"]), float(query["wait_s"]))
            else:
                self._answer(server.live)

        def _demand(self, queue: str, version: int, wait_s: float) -> None:
            until = time.monotonic() + wait_s
            with server.changed:
                while not server.away and server.demand[queue]["version"] == version and time.monotonic() < until:
                    server.changed.wait(until - time.monotonic())
            self._answer(lambda: server.demand[queue])

        def do_POST(self) -> None:
            words = urlsplit(self.path).path.strip("/").split("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if words[1] == "pilots":
                token = self.headers["Authorization"].removeprefix("Bearer ")
                self._answer(lambda: server.register(token, body))
            elif words[1] == "queues":
                self._answer(lambda: server.plan(words[2], body))
            elif words[3] == "heartbeat":
                self._answer(lambda: server.heartbeat(words[2], body))
            else:
                self._answer(lambda: server.report(body))

        def _answer(self, make: Callable[[], Body]) -> None:
            with server.changed:
                if server.away:
                    self.close_connection = True
                    return
                body = json.dumps(make()).encode()
                server.changed.notify_all()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
