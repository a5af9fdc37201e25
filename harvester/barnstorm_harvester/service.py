"""The whole harvester: heartbeats to the server, a loop per queue, and an orderly end."""

import fcntl
import os
import socket
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from barnstorm.api.connection import Connection
from barnstorm.api.errors import ApiError, Denied, Unreachable
from barnstorm.api.harvester import HarvesterApi
from barnstorm.api.requests_transport import RequestsTransport
from barnstorm.model.workers import Decision, HarvesterHello, HarvesterOrders

from . import plugins
from .journal import Journal
from .queue_loop import QueueLoop
from .settings import Settings
from .shared import Shared
from .store import Store

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_NEWS_EACH_S = 0.2


class CannotStart(Exception):
    """The harvester cannot start; the text says what to do."""


class Service:
    """Runs until `stop` is called, then does with workers what the setting `on_stop` says."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._quit = threading.Event()
        self._beat_now = threading.Event()
        self._journal = Journal("service", harvester=settings.harvester_name)
        root = settings.dir
        try:
            root.mkdir(parents=True, mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotStart(
                f"{root} cannot be made: {error.strerror}; set dir to a folder that you may write"
            ) from None
        token = _token(settings.token_path)
        self._lock = _lock(root / "harvester.lock")
        transport = RequestsTransport(settings.server, str(settings.ca_file) if settings.ca_file else None)
        self._connection = Connection(transport, token)
        self._api = HarvesterApi(self._connection, settings.harvester_name)
        self._store = Store(root / "harvester.db")
        self._plugins = plugins.load()
        self._shared = Shared(self._api, self._store, settings, self._plugins, self._beat_now.set)
        self._loops: dict[str, QueueLoop] = {}
        self._introduced = False
        self._lost_server = False

    def stop(self) -> None:
        """Begin the end; called again, end at once and leave workers as they are."""
        if self._stop.is_set():
            self._quit.set()
        self._stop.set()
        self._beat_now.set()

    def run(self) -> None:
        """Serve until stopped."""
        for name, error in self._plugins.errors.items():
            self._journal.warning("a submitter does not load", submitter=name, why=error)
        self._journal.info(
            "started",
            server=self._settings.server,
            dir=self._settings.dir,
            submitters=",".join(sorted(self._plugins.classes)),
        )
        for name in self._store.queues_with_workers():
            self._loop(name)
        beats = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beats.start()
        self._stop.wait()
        self._end_workers()
        self._quit.set()
        self._beat_now.set()
        for loop in self._loops.values():
            loop.stop()
        for loop in self._loops.values():
            loop.join(10)
        beats.join(10)
        self._goodbye()
        self._store.close()
        self._lock.close()
        self._journal.info("stopped", workers_left=sum(loop.live() for loop in self._loops.values()))

    def _end_workers(self) -> None:
        how, grace_s = self._settings.on_stop, self._settings.stop_grace_s
        loops = list(self._loops.values())
        if how == "leave" or not any(loop.live() for loop in loops):
            return
        self._journal.info("ending workers", how=how, workers=sum(loop.live() for loop in loops))
        for loop in loops:
            loop.end_all(grace_s if how == "drain" else 0.0)
        until = time.monotonic() + grace_s + 10
        while time.monotonic() < until and not self._quit.is_set() and not all(loop.settled() for loop in loops):
            self._quit.wait(0.05)

    def _loop(self, name: str) -> QueueLoop:
        if name not in self._loops:
            loop = self._loops[name] = QueueLoop(name, self._shared)
            loop.start()
        return self._loops[name]

    # --- heartbeats ---

    def _beat(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._quit.is_set():
            self._beat_now.clear()
            try:
                every_s = self._once()
                pause = _FIRST_PAUSE_S
            except (ApiError, Unreachable) as error:
                if isinstance(error, Denied):
                    self._read_token_again()
                if not self._lost_server:
                    self._journal.warning("no contact with the server; workers go on", why=error)
                self._lost_server = True
                every_s, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
            except Exception:  # noqa: BLE001 - without heartbeats this harvester loses its queues: it must go on
                self._journal.crash("a heartbeat failed")
                every_s, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
            # News goes at once, but never faster than this; the pause lets what belongs together go together.
            self._beat_now.wait(every_s)
            self._quit.wait(_NEWS_EACH_S)

    def _once(self) -> float:
        """One heartbeat; gives how long to wait for the next."""
        taken = {name: loop.scaler.take() for name, loop in list(self._loops.items())}
        try:
            orders = self._api.heartbeat(self._hello(taken))
        except (ApiError, Unreachable):
            for name, decisions in taken.items():
                self._loops[name].scaler.give_back(decisions)
            raise
        if self._lost_server:
            self._journal.info("contact with the server again")
            self._lost_server = False
        if not self._stop.is_set():
            self._obey(orders)
        return max(0.2, orders.every_s)

    def _hello(self, decisions: dict[str, list[Decision]], stopping: bool = False) -> HarvesterHello:
        return HarvesterHello(
            _version(),
            socket.gethostname()[:255],
            os.getpid(),
            sorted(self._plugins.classes),
            {name: some for name, some in decisions.items() if some},
            {name: loop.batch_info() for name, loop in list(self._loops.items())},
            stopping,
        )

    def _obey(self, orders: HarvesterOrders) -> None:
        served = {queue.name for queue in orders.queues}
        for queue in orders.queues:
            self._loop(queue.name).serve(queue)
        for name, loop in self._loops.items():
            if name not in served:
                loop.release()
            if orders.kill:
                loop.inbox.kill(orders.kill)
        if not self._introduced:
            self._introduce(served)

    def _introduce(self, served: set[str]) -> None:
        """Once after the start: the workers that the server knows, for those that the database does not."""
        strangers = self._api.workers()
        for name in served:
            self._loop(name).inbox.strangers([one for one in strangers if one.get("queue") == name])
        self._introduced = True

    def _read_token_again(self) -> None:
        """A token may have been renewed in its file."""
        try:
            self._connection.token = _token(self._settings.token_path)
        except CannotStart as error:
            self._journal.warning("the token cannot be read", why=error)

    def _goodbye(self) -> None:
        """Let go of the queues, so that another harvester can have them at once."""
        try:
            self._api.heartbeat(
                self._hello({name: loop.scaler.take() for name, loop in self._loops.items()}, stopping=True)
            )
        except (ApiError, Unreachable) as error:
            self._journal.warning("the server could not be told of the stop", why=error)


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(
            f"no token in {path} ({error}); an operator makes one: jobctl token create --kind harvester"
        ) from None
    if not token or not token.isprintable() or " " in token:
        raise CannotStart(f"{path} holds no token: it must be a single line")
    return token


def _lock(path: Path) -> IO[str]:
    """Keep other harvesters away from this directory."""
    file = open(path, "a+", encoding="ascii")  # noqa: SIM115 - held open as long as the process lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        pid = file.read().strip()
        file.close()
        raise CannotStart(f"another harvester (pid {pid or 'unknown'}) works in {path.parent}") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _version() -> str:
    try:
        return version("barnstorm")
    except PackageNotFoundError:
        return ""
