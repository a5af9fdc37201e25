"""A few threads that talk to the server at once, each with a connection of its own that is closed at the end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

from ..api.connection import Connection

AT_ONCE = 4


@contextmanager
def threads(connection: Connection) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads; at the end all that was given to it has been done."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            yield pool
        finally:
            barrier = Barrier(AT_ONCE)  # so that each thread gets exactly one of these

            def close() -> None:
                barrier.wait()
                connection.transport.close()

            for _thread in range(AT_ONCE):
                pool.submit(close)
