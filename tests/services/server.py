"""A real server process of the tests' own, and clients for it."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.waiting import wait_for

from barnstorm.api.connection import Connection
from barnstorm.api.harvester import HarvesterApi
from barnstorm.api.people import PeopleApi
from barnstorm.api.pilot import PilotApi
from barnstorm.api.transport import StdlibTransport
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.principal import Kind
from barnstorm_server.auth.tokens import TokenAuthority


@dataclass
class Said:
    """An answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code; AssertionError where the answer has not the one shape of errors."""
        error = self.json["error"]
        assert set(error) == {"code", "message", "field", "value", "allowed", "ids"}, error
        assert isinstance(error["message"], str)
        assert error["message"]
        return str(error["code"])


class Server:
    """One data directory and the process that serves it, which may be killed and started again on the same port."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.data_dir = data_dir
        self.settings = {f"BARNSTORM_SERVER_{name.upper()}": str(value) for name, value in settings.items()}
        self.url = ""
        self.log = data_dir.with_name(f"{data_dir.name}.log")
        self.process: subprocess.Popen[bytes] | None = None
        self._transport: StdlibTransport | None = None

    def start(self, fault: str = "", wait: bool = True) -> "Server":
        """Start the process; `fault` names a point at which it kills itself."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("BARNSTORM")}
        port = str(urlsplit(self.url).port) if self.url else "0"
        environment = {
            **own,
            "BARNSTORM_DATA_DIR": str(self.data_dir),
            "BARNSTORM_SERVER_PORT": port,
            "BARNSTORM_SERVER_LOG_LEVEL": "warning",
            "BARNSTORM_TEST_DURABILITY": os.environ.get("BARNSTORM_TEST_DURABILITY", ""),
            **self.settings,
            **({"BARNSTORM_FAULT": fault} if fault else {}),
        }
        (self.data_dir / "server.url").unlink(missing_ok=True)  # what a killed one left behind
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "barnstorm_server", "run"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        if wait:
            self.url = wait_for(self._started, "the server to start")
            self._transport = self._transport or StdlibTransport(self.url)
        return self

    def _started(self) -> str:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log.read_text()[-3000:]}")
        with contextlib.suppress(FileNotFoundError):
            return (self.data_dir / "server.url").read_text().strip()
        return ""

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        self.hang_up()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.hang_up()
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def errors(self) -> str:
        """What the server wrote to its log."""
        return self.log.read_text()

    # Tokens

    @property
    def operator(self) -> str:
        return (self.data_dir / "tokens" / "operator.token").read_text().strip()

    def token(self, kind: Kind, subject: str, ttl_s: float = 3600.0, **more: Any) -> str:
        """Any token, made as an administrator makes them: with the server's own keys."""
        authority = TokenAuthority(KeyRing.open(self.data_dir), lambda jti: False)
        return authority.issue(kind, subject, ttl_s, **more).token

    # Clients

    def connection(self, token: str, patience_s: float = 0.0) -> Connection:
        assert self._transport is not None
        return Connection(self._transport, token, patience_s)

    def hang_up(self) -> None:
        """Close this thread's connection to the server; each thread that asks something does so at its end."""
        if self._transport is not None:
            self._transport.close()

    def people(self, token: str, patience_s: float = 0.0) -> PeopleApi:
        return PeopleApi(self.connection(token, patience_s))

    def user(self, name: str, *groups: str, patience_s: float = 0.0) -> PeopleApi:
        return self.people(self.token("user", name, groups=groups), patience_s)

    def admin(self) -> PeopleApi:
        return self.people(self.operator)

    def pilot(self, token: str, patience_s: float = 0.0) -> PilotApi:
        return PilotApi(self.connection(token, patience_s))

    def harvester(self, name: str, *queues: str) -> HarvesterApi:
        return HarvesterApi(self.connection(self.token("harvester", name, queues=queues)), name)

    def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> Said:
        """One request as raw as wanted: `body` is bytes, or something to be sent as JSON."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout_s)
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Said(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()
