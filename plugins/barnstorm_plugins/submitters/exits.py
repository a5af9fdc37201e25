"""Tells when processes end, at once and without polling: also of those that are not our children."""

import os
import selectors
import threading
from collections.abc import Callable

from .processes import Process, look


class ExitWatch:
    """Calls `wake` when a watched process ends. Where the system has no pidfd it never does, and polling finds out."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[int, Process]] = {}
        self._selector = selectors.DefaultSelector()
        self._poke_in, self._poke_out = os.pipe()
        self._selector.register(self._poke_in, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="exits", daemon=True)
        self._thread.start()

    def add(self, process: Process) -> None:
        """Watch a process, unless it is watched already."""
        with self._lock:
            known = self._watched.get(process.pid)
            if known is not None and known[1].same(process):
                return
            try:
                fd = os.pidfd_open(process.pid)
            except OSError:
                return
            there = look(process.pid)
            if there is None or not there.same(process):
                os.close(fd)
                self._wake()
                return
            self._watched[process.pid] = (fd, process)
            self._selector.register(fd, selectors.EVENT_READ, process.pid)

    def close(self) -> None:
        """End the thread."""
        os.close(self._poke_out)
        self._thread.join()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._end()
                    return
                with self._lock:
                    self._selector.unregister(key.fd)
                    os.close(key.fd)
                    known = self._watched.get(key.data)
                    if known is not None and known[0] == key.fd:
                        del self._watched[key.data]
                self._wake()

    def _end(self) -> None:
        with self._lock:
            for fd, _ in self._watched.values():
                self._selector.unregister(fd)
                os.close(fd)
            self._selector.close()
            os.close(self._poke_in)
