"""What the server is made of, put together once: store, writer, files, agents, and who waits for them."""

import asyncio
import contextlib
import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

from barnstorm.model.ids import AttemptId
from barnstorm.model.pilots import Clock
from barnstorm.queuefile import load_queues, queue_files
from barnstorm_server.auth.bootstrap import ensure_tokens
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.tokens import Issued, TokenAuthority
from barnstorm_server.commands.lease import Dispatch
from barnstorm_server.commands.queues import PutQueue
from barnstorm_server.commands.tokens import NewToken, RecordTokens
from barnstorm_server.files.blobs import BlobFiles
from barnstorm_server.files.logs import LogFiles
from barnstorm_server.rules.leases import clock
from barnstorm_server.settings import Settings
from barnstorm_server.store import schema
from barnstorm_server.store.catalog import Catalog
from barnstorm_server.store.engine import Store
from barnstorm_server.store.errors import Busy
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
        self._refreshing = threading.Lock()
        self.authority = TokenAuthority(KeyRing.open(data), lambda jti: jti in self.revoked)
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
        self._readers = ThreadPoolExecutor(8, thread_name_prefix="read")
        self._files = ThreadPoolExecutor(8, thread_name_prefix="files")  # a slow list never holds up a log
        self._loop: asyncio.AbstractEventLoop | None = None
        self.listeners: list[Callable[[Committed], None]] = []
        self.health: dict[str, Callable[[], dict[str, Any]]] = {"writer": self.writer.health}

    def start(self) -> None:
        """Begin to serve: the writer, queue files, the first look at queues and tokens."""
        self._loop = asyncio.get_running_loop()
        self.writer.start()
        self.refresh()
        self._apply_queue_files()
        ensure_tokens(self.authority, Path(self.settings.data_dir), record=self._record_token)

    def stop(self) -> None:
        """Finish what was accepted, then let go of the store."""
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

    def check_disk(self) -> None:
        """Raise Busy when the data directory's disk is nearly full: what is left belongs to the database."""
        free_mib = shutil.disk_usage(self.settings.data_dir).free >> 20
        if free_mib < self.settings.min_free_disk_mib:
            raise Busy(f"the server's disk has {free_mib:,} MiB left; its operator must make room", retry_after_s=30.0)

    async def file(self, function: Callable[..., R], *args: Any) -> R:
        """Call a function that reads or writes files, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._files, function, *args)

    def _reading(self, function: Callable[..., R], args: tuple[Any, ...]) -> R:
        with self.store.engine.connect() as connection:
            return function(connection, *args)

    def refresh(self) -> None:
        """Look at queues, marks and revoked tokens anew."""
        # One at a time: what was read before a change must not overwrite what was read after it.
        with self._refreshing, self.store.engine.connect() as connection:
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

    def _committed(self, what: Committed) -> None:
        if what.queues or what.tokens:
            self.refresh()
        for listener in self.listeners:
            listener(what)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self.wakeups.committed, what)

    def _record_token(self, kind: str, subject: str, issued: Issued) -> None:
        self.writer.do(RecordTokens("barnstorm-server", [NewToken(issued.jti, kind, subject, issued.expires_at)]))

    def _apply_queue_files(self) -> None:
        """Apply the queue files of `queue_dir`; a wrong one is told and left out, the others work."""
        if self.settings.queue_dir is None:
            return
        good, problems = load_queues(queue_files(self.settings.queue_dir))
        for problem in problems:
            log.error("queue file left out: %s", problem)
        for one in good:
            self.writer.do(PutQueue(one.config, f"file {one.path.name}"))
