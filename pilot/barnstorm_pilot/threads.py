"""Threads for what may take long: the network, big files. Their results come back to the loop as callbacks."""

import queue
import threading
from typing import Any, Callable, Generic, Optional, TypeVar

from .loop import Loop

T = TypeVar("T")
Done = Callable[[Optional[T], Optional[BaseException]], None]


class Crew:
    """Up to `size` threads that do what they are given, in order; started when there is work for them."""

    def __init__(self, loop: Loop, name: str, size: int) -> None:
        self._loop, self._name, self._size = loop, name, size
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = 0
        self._unfinished = 0

    @property
    def busy(self) -> bool:
        """Whether anything is being done or waits to be."""
        return self._unfinished > 0

    def do(self, work: Callable[[], T], done: "Done[T]") -> None:
        """Have `work` done by a thread; the loop then calls `done(result, error)`. For the loop's thread only."""
        self._unfinished += 1
        if self._unfinished > self._threads and self._threads < self._size:
            self._threads += 1
            threading.Thread(target=self._run, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._work.put((work, done))

    def _run(self) -> None:
        while True:
            work, done = self._work.get()
            result, error = None, None
            try:
                result = work()
            except Exception as raised:  # noqa: BLE001 - handed to `done`, which judges it
                error = raised
            self._loop.post(_Ending(self, done, result, error))


class _Ending(Generic[T]):
    """Brings a result back to the loop's thread."""

    __slots__ = ("_crew", "_done", "_error", "_result")

    def __init__(self, crew: Crew, done: "Done[T]", result: Optional[T], error: Optional[BaseException]) -> None:
        self._crew, self._done, self._result, self._error = crew, done, result, error

    def __call__(self) -> None:
        self._crew._unfinished -= 1
        self._done(self._result, self._error)
