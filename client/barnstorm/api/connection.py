"""One server as a client sees it: token, JSON, errors as exceptions, and patience with a server that is away or
busy.
"""

import hashlib
import json
import random
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, Optional
from urllib.parse import quote, urlencode

from .errors import Busy, Unreachable, from_answer
from .transport import Answer, Body, StreamedAnswer, Transport


class Connection:
    """Sends requests with a token. Thread-safe as far as its transport is.

    `patience_s`: how long a request is tried again while the server is unreachable or busy. Every request of this
    protocol may be repeated (POSTs carry keys), so trying again never does a thing twice.
    """

    def __init__(self, transport: Transport, token: str = "", patience_s: float = 0.0) -> None:
        self.transport = transport
        self.token = token
        self.patience_s = patience_s

    def json(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Optional[dict[str, Any]] = None,
        timeout_s: float = 30.0,
    ) -> Any:
        """A JSON request and its JSON answer (None for an empty one). Raises ApiError or Unreachable."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        answer = self.send(method, path, headers, data, query, timeout_s)
        return _decode(answer) if answer.body else None

    def send(
        self,
        method: str,
        path: str,
        headers: Optional[dict[str, str]] = None,
        body: Body = None,
        query: Optional[dict[str, Any]] = None,
        timeout_s: float = 30.0,
        patience_s: Optional[float] = None,
    ) -> Answer:
        """A request with any body; raises ApiError for statuses from 400 on, Unreachable when nothing answers in
        time.
        """
        headers = {**self._headers(), **(headers or {})}
        until = time.monotonic() + (self.patience_s if patience_s is None else patience_s)
        pause = 0.05
        while True:
            wait = pause
            try:
                answer = self.transport.send(method, path + _query(query), headers, body, timeout_s)
                error = _error(answer)
                if error is None:
                    return answer
                if isinstance(error, Busy):
                    wait = error.retry_after_s
            except Unreachable as unreachable:
                error = unreachable
            if not isinstance(error, (Busy, Unreachable)) or time.monotonic() + wait > until:
                raise error
            time.sleep(wait * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 10.0)
            if body is not None and not isinstance(body, bytes):
                body.seek(0)

    def stream(self, path: str, query: Optional[dict[str, Any]] = None, timeout_s: float = 60.0) -> StreamedAnswer:
        """A GET whose bytes come in pieces; raises as `send` does."""
        answer = self.transport.stream(path + _query(query), self._headers(), timeout_s)
        if answer.status >= 400:
            error = _error(Answer(answer.status, answer.headers, b"".join(answer.pieces)))
            raise error if error else Unreachable(f"HTTP status {answer.status}")
        return answer

    def upload(self, file: BinaryIO, attempt: str = "") -> tuple[str, int]:
        """Store a file's bytes as a blob, unless it is there already; returns its sha256 and size."""
        digest, size = digest_of(file)
        query = {"attempt": attempt or None}
        path = f"/v1/blobs/{digest}"
        try:
            self.send("HEAD", path, query=query)
            return digest, size
        except Exception as error:
            if getattr(error, "status", None) != 404:
                raise
        file.seek(0)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self.send("PUT", path, headers, b"" if size == 0 else file, query, timeout_s=60 + size / 1e6)
        return digest, size

    def download(self, path: str, query: Optional[dict[str, Any]] = None) -> Iterator[bytes]:
        """The bytes of a blob or output, in pieces."""
        yield from self.stream(path, query).pieces

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def quoted(part: str) -> str:
    """A text as one part of a path (slashes stay)."""
    return quote(part, safe="/")


def digest_of(file: BinaryIO) -> tuple[str, int]:
    """sha256 (hex) and size of a file, read from where it stands to its end."""
    digest, size = hashlib.sha256(), 0
    for piece in iter(lambda: file.read(1024 * 1024), b""):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _query(query: Optional[dict[str, Any]]) -> str:
    pairs = [(key, value) for key, value in (query or {}).items() if value is not None]
    return "?" + urlencode(pairs, doseq=True) if pairs else ""


def _error(answer: Answer) -> Optional[Exception]:
    if answer.status < 400:
        return None
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if body is None and answer.status == 404 and not answer.body:
        body = {"error": {"code": "not_found", "message": "not found"}}
    return from_answer(answer.status, body, answer.headers.get("retry-after"))


def _decode(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise Unreachable("the answer is no JSON: this is no Barnstorm server") from error
