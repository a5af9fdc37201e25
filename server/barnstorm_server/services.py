"""What the server is made of, put together once: store, writer, files, agents, and who waits for them."""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

from barnstorm.model.ids import AttemptId
from barnstorm.model.pilots import Clock
from barnstorm_server.agents.brokerage import demand_now
from barnstorm_server.agents.loop import Agent
from barnstorm_server.agents.tasks import slices
from barnstorm_server.agents.watchdog import Watchdog
from barnstorm_server.auth.bootstrap import ensure_tokens
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.tokens import Issued, TokenAuthority
from barnstorm_server.commands.lease import Dispatch
from barnstorm_server.commands.release import ReleaseDue
from barnstorm_server.commands.tokens import NewToken, RecordTokens
from barnstorm_server.files.blobs import BlobFiles
from barnstorm_server.files.logs import LogFiles
from barnstorm_server.rules.leases import clock
from barnstorm_server.settings import Settings
from barnstorm_server.store import schema
from barnstorm_server.store.catalog import Catalog
from barnstorm_server.store.engine import Store
from barnstorm_server.store.task_cache import TaskCache
from barnstorm_server.store.transaction import Committed
from barnstorm_server.store.writer import Command, Writer
from barnstorm_server.wakeups import Wakeups

log = logging.getLogger("barnstorm.server")

R = TypeVar("R")

MAX_SAMPLES = 250_000

_REVOKED = text("SELECT jti FROM tokens WHERE revoked_at IS NOT NULL AND expires_at > :now")
_LIVE_PILOTS = text("SELECT count(*) FROM pilots WHERE ended_at IS NULL")


class Services:
    """The running server, without HTTP. `start` on the event loop's thread, `stop` from there too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        data = Path(settings.data_dir)
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = Store(settings.database)
        schema.upgrade(self.store.engine)
        self.revoked: frozenset[str] = frozenset()
        self.authority = TokenAuthority(KeyRing(data / "keys"), lambda jti: jti in self.revoked)
        self.catalog = Catalog()
        self.tasks = TaskCache()
        self.dispatch = Dispatch(
            self.catalog, self.tasks, Clock(settings.heartbeat_s, settings.lease_s), self.store.is_sqlite
        )
        self.blobs = BlobFiles(data / "blobs", settings.max_upload_mib * 2**20)
        self.logs = LogFiles(data / "logs", settings.max_upload_mib * 2**20)
        self.wakeups = Wakeups()
        self.samples: OrderedDict[AttemptId, dict[str, float]] = OrderedDict()
        self.writer = Writer(self.store, self._committed, settings.writer_queue)
        self.watchdog = Watchdog(self.dispatch)
        self._readers = ThreadPoolExecutor(8, thread_name_prefix="read")
        self._files = ThreadPoolExecutor(8, thread_name_prefix="files")  # a slow list never holds up a log
        self._loop: asyncio.AbstractEventLoop | None = None
        self.agents = {
            "brokerage": Agent("brokerage", self._broker, every_s=5.0, at_most_s=0.05),
            "tasks": Agent("tasks", self._work_on_tasks, every_s=5.0),
            "watchdog": Agent("watchdog", self._watch, every_s=1.0),
            "housekeeping": Agent("housekeeping", self._keep_house, every_s=2.0),
        }

    def start(self) -> None:
        """Begin to serve: the writer, the first look at queues and tokens, the agents."""
        self._loop = asyncio.get_running_loop()
        self.writer.start()
        self.refresh()
        ensure_tokens(self.authority, Path(self.settings.data_dir), record=self._record_token)
        for agent in self.agents.values():
            agent.start()
        self.agents["brokerage"].wake()
        self.agents["tasks"].wake()

    def stop(self) -> None:
        """Finish what was accepted, then let go of the store."""
        for agent in self.agents.values():
            agent.stop()
        self.writer.close()
        self._readers.shutdown()
        self._files.shutdown()
        self.store.close()

    async def do(self, command: Command[R]) -> R:
        """Have the writer apply a command; returns after its commit."""
        return await asyncio.wrap_future(self.writer.submit(command))

    async def read(self, function: Callable[..., R], *args: Any) -> R:
        """Call `function(connection, *args)` on a reading connection, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._reading, function, args)

    async def file(self, function: Callable[..., R], *args: Any) -> R:
        """Call a function that reads or writes files, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._files, function, *args)

    def _reading(self, function: Callable[..., R], args: tuple[Any, ...]) -> R:
        with self.store.engine.connect() as connection:
            return function(connection, *args)

    def refresh(self) -> None:
        """Look at queues, marks and revoked tokens anew."""
        with self.store.engine.connect() as connection:
            self.catalog.load(connection)
            self.revoked = frozenset(connection.execute(_REVOKED, {"now": time.time()}).scalars())
            pilots = int(connection.execute(_LIVE_PILOTS).scalar_one())
        self.dispatch.clock = clock(self.settings.heartbeat_s, self.settings.lease_s, pilots)

    def keep_sample(self, attempt: AttemptId, sample: dict[str, float]) -> None:
        """Remember the last sample of a running attempt."""
        self.samples[attempt] = sample
        self.samples.move_to_end(attempt)
        while len(self.samples) > MAX_SAMPLES:
            self.samples.popitem(last=False)

    @property
    def is_healthy(self) -> bool:
        """Whether writes and every agent make progress."""
        return self.writer.alive and all(agent.alive for agent in self.agents.values())

    def _committed(self, what: Committed) -> None:
        if what.queues or what.tokens:
            self.refresh()
        if what.demand:
            self.agents["brokerage"].wake()
        if what.tasks_to_work_on:
            self.agents["tasks"].wake()
        if what.workers_ended:
            self.agents["watchdog"].wake()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self.wakeups.committed, what)

    def _record_token(self, kind: str, subject: str, issued: Issued) -> None:
        self.writer.do(RecordTokens("barnstorm-server", [NewToken(issued.jti, kind, subject, issued.expires_at)]))

    def _broker(self) -> None:
        with self.store.engine.connect() as connection:
            command = demand_now(connection, self.catalog.queues, self.store.now(connection))
        self.writer.do(command)

    def _work_on_tasks(self) -> None:
        while True:
            with self.store.engine.connect() as connection:
                commands = list(slices(connection))
            more = [self.writer.do(command) for command in commands]
            if not any(more):
                return

    def _watch(self) -> None:
        with self.store.engine.connect() as connection:
            commands = self.watchdog.lost(connection, self.store.now(connection))
        for command in commands:
            ended = self.writer.do(command)
            log.warning("pilot p%d was ended: %s; it held %d attempts", command.pilot, command.why, ended)

    def _keep_house(self) -> None:
        self.writer.do(ReleaseDue(self.tasks))
        self.refresh()
