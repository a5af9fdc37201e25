"""`jobctl up` at work: server, then harvester, then watching both until it is asked to stop."""

import contextlib
import json
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Any, Optional

import click

from ..api.errors import ApiError, Unreachable
from ..api.people import PeopleApi
from ..connect import connect
from ..contexts import Context, read_token, write_private
from . import exits
from .children import Child
from .localsystem import Plan, healthy, is_free, local_queue, log_in, welcome

DEFAULT_PORT = 8787
START_S = 60.0
HURRY_S = 5.0
# Words of the environment that are about another server than the one started here.
NOT_FOR_CHILDREN = ("BARNSTORM_SERVER", "BARNSTORM_TOKEN_FILE", "BARNSTORM_CONTEXT", "BARNSTORM_DEBUG")


class NotStarted(Exception):
    """The system did not come up; the message says why."""


class Supervisor:
    """Runs the two programs. `ready_fd`: where to tell the shell that detached this that it is ready."""

    def __init__(self, plan: Plan, ready_fd: Optional[int] = None) -> None:
        self.plan = plan
        self.ready_fd = ready_fd
        self.stops = 0
        self.server = Child("server", self._words("server"), self._server_env(), plan.data.log("server"))
        self.harvester: Optional[Child] = None
        self.url = ""

    def run(self) -> int:
        """Start, watch, stop; the exit code."""
        with self._signals():
            try:
                self._start()
            except NotStarted as error:
                self._stop()
                return self._told(exits.FAILED, f"error: {error}")
            if self.stops:
                self._told(exits.FAILED, "stopped while it started")
            else:
                self._told(exits.OK, "\n".join(welcome(self.plan, self.url)))
            self._watch()
            return self._stop()

    # --- starting ---

    def _start(self) -> None:
        (self.plan.data.path / "server.url").unlink(missing_ok=True)
        self.server.start()
        self.url = self._await_server()
        if not self.url:
            return
        self._remember_port()
        log_in(self.plan, self.url)
        env = self._harvester_env()
        self.harvester = Child("harvester", self._words("harvester"), env, self.plan.data.log("harvester"))
        self.harvester.start()
        self._first_queue()

    def _await_server(self) -> str:
        """The server's URL once it answers; empty when somebody asked to stop meanwhile. Raises NotStarted."""
        until = time.monotonic() + START_S
        while not self.stops:
            if not self.server.running:
                raise NotStarted("\n".join(["the server did not start", *self.server.last_lines()]))
            url = self.plan.data.url()
            if url and healthy(url):
                return url
            if time.monotonic() > until:
                raise NotStarted(f"the server did not answer in {START_S:g} s; its log: {self.server.log}")
            self._sleep(0.05)
        return ""

    def _first_queue(self) -> None:
        """Give a server without queues the queue of this machine."""
        connection = connect(self._context(), patience_s=10)
        api = PeopleApi(connection)
        try:
            if next(iter(api.queues()), None) is None:
                document = local_queue(self.plan)
                folder = self.plan.data.path / "queues"
                write_private(folder / "local.json", json.dumps(document, indent=2) + "\n")
                api.apply_queue(document)
        except (ApiError, Unreachable) as error:
            self._say(f"warning: the queue of this machine could not be made: {error}")
        finally:
            connection.transport.close()

    def _context(self) -> Context:
        token = read_token(str(self.plan.data.path / "tokens" / "operator.token"))
        return Context(self.plan.context, self.url, token)

    def _words(self, name: str) -> list[str]:
        words = [sys.executable, "-m", f"barnstorm_{name}"]
        settings = self.plan.data.settings(name)
        return [*words, "--config", str(settings)] if settings else words

    def _env(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name not in NOT_FOR_CHILDREN}
        return {**env, "BARNSTORM_DATA_DIR": str(self.plan.data.path)}

    def _server_env(self) -> dict[str, str]:
        port = self.plan.port if self.plan.port is not None else self._port()
        return {**self._env(), "BARNSTORM_SERVER_HOST": self.plan.host, "BARNSTORM_SERVER_PORT": str(port)}

    def _harvester_env(self) -> dict[str, str]:
        data = self.plan.data.path
        env = {
            "BARNSTORM_HARVESTER_ON_STOP": "drain",
            **self._env(),
            "BARNSTORM_SERVER": self.url,
            "BARNSTORM_TOKEN_FILE": str(data / "tokens" / "harvester.token"),
            "BARNSTORM_HARVESTER_NAME": "local",
            "BARNSTORM_HARVESTER_DIR": str(data / "harvester"),
        }
        if self.plan.cores is not None:
            env["BARNSTORM_LOCAL_CORES"] = str(self.plan.cores)
        if self.plan.memory_mib is not None:
            env["BARNSTORM_LOCAL_MEMORY_MIB"] = str(self.plan.memory_mib)
        return env

    def _port(self) -> int:
        """The last port, so that pilots which outlived the server find it again; else the usual one, or any."""
        for port in (self._last_port(), DEFAULT_PORT):
            if port and is_free(self.plan.host, port):
                return port
        return 0

    def _last_port(self) -> int:
        try:
            return int((self.plan.data.path / "port").read_text())
        except (OSError, ValueError):
            return 0

    def _remember_port(self) -> None:
        """From now on, restarts of the server included, the port stays."""
        port = self.url.rpartition(":")[2]
        if port.isdigit():
            write_private(self.plan.data.path / "port", f"{port}\n")
            self.server.env["BARNSTORM_SERVER_PORT"] = port

    # --- watching ---

    def _watch(self) -> None:
        while not self.stops:
            for child in (self.server, self.harvester):
                if child is None:
                    continue
                how = child.ended()
                if how:
                    self._say(how)
                if child.process is None and time.monotonic() >= child.retry_at:
                    child.start()
            self._sleep(1.0)

    def _stop(self) -> int:
        """First the harvester, whose pilots end, then the server; asked twice, with force."""
        self._say("stopping; Ctrl-C again hurries")
        in_peace = self._end(self.harvester, signal.SIGTERM) if self.harvester is not None else True
        return exits.OK if self._end(self.server, signal.SIGTERM) and in_peace else exits.FAILED

    def _end(self, child: Child, number: int) -> bool:
        """Ask a child to end and wait for it; whether it did so in peace."""
        child.tell(number)
        asked = self.stops
        killed_at = None if asked < 2 else time.monotonic() + HURRY_S
        if asked >= 2:
            child.tell(signal.SIGINT)
        while child.running:
            if self.stops > asked:
                asked = self.stops
                child.tell(signal.SIGINT)
                killed_at = killed_at or time.monotonic() + HURRY_S
            if killed_at is not None and (time.monotonic() > killed_at or asked > 2):
                child.tell(signal.SIGKILL)
                killed_at = time.monotonic() + HURRY_S
            self._sleep(0.2)
        return killed_at is None

    # --- signals and words ---

    @contextlib.contextmanager
    def _signals(self) -> Any:
        """SIGINT, SIGTERM and SIGHUP ask to stop; a child's end wakes the loop."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._asked) for number in numbers}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._read)
            os.close(self._write)

    def _asked(self, _number: int, _frame: Optional[FrameType]) -> None:
        self.stops += 1

    def _sleep(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        if select.select([self._read], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._read, 1024)

    def _say(self, text: str) -> None:
        stamp = time.strftime("%H:%M:%S ") if self.ready_fd is not None else ""
        click.echo(stamp + text, err=True)

    def _told(self, code: int, text: str) -> int:
        """Say how the start went: here, and to the shell that detached this."""
        click.echo(text, err=code != exits.OK)
        if self.ready_fd is not None:
            with contextlib.suppress(OSError), os.fdopen(self.ready_fd, "w", encoding="utf-8") as told:
                told.write(f"{code}\n{text}\n")
        return code
