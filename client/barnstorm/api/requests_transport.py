"""The transport of SDK, CLI and harvester: `requests`, with its pools, proxies and certificate stores."""

import threading
from collections.abc import Iterator
from typing import Optional

import requests

from .errors import Unreachable
from .transport import Answer, Body, StreamedAnswer, Transport

CONNECT_S = 10.0


class RequestsTransport(Transport):
    """One `requests.Session` per thread. The environment's proxies count; its certificate bundles do not when
    `ca_file` is given.
    """

    def __init__(self, url: str, ca_file: Optional[str] = None) -> None:
        self._url = url.rstrip("/")
        self._ca_file = ca_file
        self._local = threading.local()

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        return session

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: Body, timeout_s: float, stream: bool
    ) -> requests.Response:
        verify = {"verify": self._ca_file} if self._ca_file else {}
        try:
            return self._session().request(
                method,
                self._url + path,
                headers=headers,
                data=body,
                timeout=(CONNECT_S, timeout_s),
                stream=stream,
                allow_redirects=False,
                **verify,  # type: ignore[arg-type]
            )
        except requests.RequestException as error:
            raise Unreachable(f"no answer from {self._url}: {_short(error)}") from error

    def send(self, method: str, path: str, headers: dict[str, str], body: Body, timeout_s: float) -> Answer:
        response = self._ask(method, path, headers, body, timeout_s, stream=False)
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)

    def stream(self, path: str, headers: dict[str, str], timeout_s: float) -> StreamedAnswer:
        response = self._ask("GET", path, headers, None, timeout_s, stream=True)
        headers_in = {key.lower(): value for key, value in response.headers.items()}
        return StreamedAnswer(response.status_code, headers_in, self._pieces(response))

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(256 * 1024)
        except requests.RequestException as error:
            raise Unreachable(f"the answer of {self._url} broke off: {_short(error)}") from error
        finally:
            response.close()

    def close(self) -> None:
        session = getattr(self._local, "session", None)
        if session is not None:
            session.close()
            self._local.session = None


def _short(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
