"""The listening socket, and a uvicorn server that says where it listens, stops without haste and without a trace."""

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from barnstorm_server.auth.private import write_atomically
from barnstorm_server.settings import Settings

log = logging.getLogger("barnstorm.server")

URL_FILE = "server.url"


class AddressError(OSError):
    """The address cannot be listened on; says which and why."""


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket bound to an address, not yet listening. Raises AddressError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise AddressError(f"host {host!r} is no address of this machine: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        why = f"cannot listen on {host} port {port}: {error.strerror}"
        raise AddressError(f"{why}; another port: BARNSTORM_SERVER_PORT, or 0 for any free one") from error
    listener.setblocking(False)
    return listener


def url_of(settings: Settings, listener: socket.socket) -> str:
    """Where programs on this machine reach the server: by the name of its certificate where that is known."""
    host, port = listener.getsockname()[:2]
    if settings.tls and settings.public_url:
        return settings.public_url
    if host in ("0.0.0.0", "::"):
        host = socket.getfqdn() if settings.tls else {"0.0.0.0": "127.0.0.1", "::": "::1"}[host]
    elif settings.tls or settings.host == "localhost":
        host = settings.host
    return f"http{'s' if settings.tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


class Listening(uvicorn.Server):
    """Writes `<data_dir>/server.url` once it listens and removes it before it stops to."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self.settings = settings
        self.url_file: Path = settings.data_dir / URL_FILE

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; then the URL is told."""
        assert sockets, "bind() comes first"
        await super().startup(sockets)
        url = url_of(self.settings, sockets[0])
        write_atomically(self.url_file, f"{url}\n".encode())
        log.info("listening", extra={"url": url, "data_dir": str(self.settings.data_dir)})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody new is sent here; whoever waits is answered, as far as `app.state.stopping()` brings that about."""
        log.info("stopping")
        self.url_file.unlink(missing_ok=True)
        stopping = getattr(getattr(self.config.app, "state", None), "stopping", None)
        if callable(stopping):
            stopping()
        await super().shutdown(sockets)
        log.info("stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the server, and do not kill it afterwards as uvicorn would: the exit code is 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._asked_to_stop) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        """The first signal ends it in peace; a second SIGINT at once."""
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True
