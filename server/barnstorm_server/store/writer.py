"""The writer: one thread that takes the commands that wait into one transaction and answers each after the commit.

A commit costs a disk's fsync; thirty-two clients share it. A group in which a statement fails is run again one
command at
a time, so that only the culprit gets the error.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from . import faultpoints
from .engine import Store, release
from .errors import Busy, DomainError
from .transaction import Committed, Transaction

log = logging.getLogger("barnstorm.writer")

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

MAX_COMMANDS = 256
MAX_ROWS = 2000


class Command(Protocol[R_co]):
    """A change of the store, as a value. `rows` is about how many rows it writes; long changes are cut into slices."""

    @property
    def rows(self) -> int: ...

    def apply(self, tx: Transaction) -> R_co:
        """Do it. May be called again on a fresh transaction. Raises DomainError before it has written anything."""
        ...


@dataclass
class _Waiting(Generic[R]):
    command: Command[R]
    future: "Future[R]"


class Writer:
    """Owns the writing connection and its thread. `submit` may be called from any thread."""

    def __init__(self, store: Store, on_commit: Callable[[Committed], None], capacity: int = 2000) -> None:
        self._store = store
        self._on_commit = on_commit
        self._queue: queue.Queue[_Waiting[Any] | None] = queue.Queue(capacity)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._connection = store.writer_connection()
        self._closed = False
        self.commits = 0
        self.last_progress = time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def submit(self, command: Command[R]) -> "Future[R]":
        """Queue a command; its future ends after the commit. Raises Busy when the queue is full."""
        future: Future[R] = Future()
        if self._closed:
            raise Busy("the server is stopping", retry_after_s=2.0)
        try:
            self._queue.put_nowait(_Waiting(command, future))
        except queue.Full:
            raise Busy("the server has more to write than it can take; try again", retry_after_s=1.0) from None
        return future

    def do(self, command: Command[R], timeout_s: float = 60.0) -> R:
        """`submit` and wait: for threads, not for the event loop."""
        return self.submit(command).result(timeout_s)

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """Whether commands make progress: nothing waits, or something was answered in the last ten seconds."""
        return self._thread.is_alive() and (self.waiting == 0 or time.monotonic() - self.last_progress < 10)

    def health(self) -> dict[str, Any]:
        """What `GET /healthz` says of it."""
        return {"ok": self.alive, "waiting": self.waiting, "commits": self.commits}

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(timeout=30)
        release(self._connection)

    def _run(self) -> None:
        while True:
            group = self._take()
            if group is None:
                return
            # Who has stopped waiting is not answered, and can no longer stop from here on.
            group = [waiting for waiting in group if waiting.future.set_running_or_notify_cancel()]
            if group:
                self._commit(group)
            self.last_progress = time.monotonic()

    def _take(self) -> list[_Waiting[Any]] | None:
        first = self._queue.get()
        if first is None:
            return None
        self.last_progress = time.monotonic()
        group, rows = [first], first.command.rows
        while len(group) < MAX_COMMANDS and rows < MAX_ROWS:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            group.append(following)
            rows += following.command.rows
        return group

    def _commit(self, group: list[_Waiting[Any]]) -> None:
        try:
            answers, committed = self._apply(group)
        except Exception as error:  # whatever it is, it is its caller's to hear, and the next command's turn
            self._rollback()
            if len(group) > 1:
                for waiting in group:
                    self._commit([waiting])
                return
            if not isinstance(error, DomainError):
                log.exception("a command failed: %s", type(group[0].command).__name__)
            group[0].future.set_exception(error)
            return
        self.commits += 1
        self._tell(committed)  # before the answers: who is answered finds his change everywhere
        for waiting, answer in zip(group, answers, strict=True):
            if isinstance(answer, DomainError):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(answer)

    def _tell(self, committed: Committed) -> None:
        try:
            self._on_commit(committed)
        except Exception:
            log.exception("something that follows commits failed; the commit stands")

    def _apply(self, group: list[_Waiting[Any]]) -> tuple[list[Any], Committed]:
        with self._connection.begin():
            tx = Transaction(self._connection, self._store.now(self._connection))
            answers: list[Any] = []
            wrote = False
            for waiting in group:
                tx.wrote = False
                try:
                    answers.append(waiting.command.apply(tx))
                except DomainError as error:
                    if tx.wrote:
                        raise
                    answers.append(error)
                wrote = wrote or tx.wrote
            committed = tx.finish()
            if wrote:
                faultpoints.reach("commit:before")
        if wrote:
            faultpoints.reach("commit:after")
        return answers, committed

    def _rollback(self) -> None:
        try:
            self._connection.rollback()
        except SQLAlchemyError:
            log.exception("the writer's connection is lost; it is opened again")
            self._connection.invalidate()
