"""How requests travel: one small interface, and the standard library's http.client behind it (the pilot's choice).

`requests` costs 256 ms to import from a zip and three times as long per call, so only SDK, CLI and harvester use it.
"""

import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union
from urllib.parse import urlsplit

from .errors import Unreachable

Body = Union[bytes, Any, None]


@dataclass
class Answer:
    """A whole answer in memory."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends one request at a time for each thread; keeps connections alive; raises Unreachable, never retries."""

    def send(self, method: str, path: str, headers: dict[str, str], body: Body, timeout_s: float) -> Answer:
        """One request with the whole answer. `path` includes the query; `body` is bytes or a file open for reading."""
        raise NotImplementedError

    def stream(self, path: str, headers: dict[str, str], timeout_s: float) -> "StreamedAnswer":
        """A GET whose body is read piece by piece."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections of this thread."""


@dataclass
class StreamedAnswer:
    """An answer whose body comes in pieces; iterate over `pieces` to its end."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


class StdlibTransport(Transport):
    """http.client with one kept connection per thread."""

    def __init__(self, url: str, ca_file: Optional[str] = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"server URL {url!r} is not http://HOST:PORT or https://HOST:PORT")
        self._https = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._tls = ssl.create_default_context(cafile=ca_file) if self._https else None
        self._local = threading.local()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            if self._https:
                connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._tls)
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
            self._local.connection = connection
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        return connection

    def send(self, method: str, path: str, headers: dict[str, str], body: Body, timeout_s: float) -> Answer:
        fresh = getattr(self._local, "connection", None) is None
        try:
            response = self._request(method, path, headers, body, timeout_s)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            # A kept connection that the server closed while idle: nothing was answered, so ask once on a new one.
            self.close()
            if fresh or (body is not None and not isinstance(body, bytes)):
                raise Unreachable(str(error) or type(error).__name__) from error
            response = self._again(method, path, headers, body, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(str(error) or type(error).__name__) from error
        try:
            return Answer(response.status, _lower(response.headers.items()), response.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(str(error) or type(error).__name__) from error

    def _again(self, method: str, path: str, headers: dict[str, str], body: Body, timeout_s: float) -> Any:
        try:
            return self._request(method, path, headers, body, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(str(error) or type(error).__name__) from error

    def _request(self, method: str, path: str, headers: dict[str, str], body: Body, timeout_s: float) -> Any:
        connection = self._connection(timeout_s)
        connection.request(method, self._prefix + path, body=body, headers=headers)
        return connection.getresponse()

    def stream(self, path: str, headers: dict[str, str], timeout_s: float) -> StreamedAnswer:
        try:
            response = self._request("GET", path, headers, None, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(str(error) or type(error).__name__) from error
        return StreamedAnswer(response.status, _lower(response.headers.items()), self._pieces(response))

    def _pieces(self, response: Any) -> Iterator[bytes]:
        try:
            while True:
                piece = response.read(256 * 1024)
                if not piece:
                    return
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        finally:
            if not response.isclosed():
                self.close()

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def _lower(items: Any) -> dict[str, str]:
    return {key.lower(): value for key, value in items}
