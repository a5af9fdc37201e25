"""From a context to a connection: which transport serves it best.

A command of `jobctl` makes one or two requests, so the standard library's client is taken wherever it does the same as
`requests`: it saves 30 to 60 ms of start-up. `requests` is taken where the environment asks for what only it can do:
proxies, its own certificate bundles, the system's proxy settings of macOS and Windows, a Python without certificates.
"""

import os
import sys
from collections.abc import Mapping
from typing import Optional
from urllib.parse import urlsplit

from .api.connection import Connection
from .api.transport import StdlibTransport, Transport
from .contexts import Context

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def connect(context: Context, patience_s: float = 0.0) -> Connection:
    """A connection to a context's server. Raises ValueError for a URL that is none."""
    return Connection(transport_for(context), context.token, patience_s)


def transport_for(context: Context, environ: Optional[Mapping[str, str]] = None) -> Transport:
    """The transport for a context, as the environment's proxies and certificates ask for."""
    ca_file = context.ca_file or None
    if needs_requests(context, os.environ if environ is None else environ):
        from .api.requests_transport import RequestsTransport

        return RequestsTransport(context.server, ca_file)
    return StdlibTransport(context.server, ca_file)


def needs_requests(context: Context, environ: Mapping[str, str]) -> bool:
    """Whether only `requests` reaches this server as the environment wants it."""
    url = urlsplit(context.server)
    if (url.hostname or "") in _LOOPBACK or not url.hostname:
        return False
    if any(environ.get(name) or environ.get(name.upper()) for name in _PROXIES):
        return True
    if sys.platform in ("win32", "darwin"):
        return True
    if url.scheme != "https" or context.ca_file:
        return False
    return any(environ.get(name) for name in _BUNDLES) or not _has_certificates()


def _has_certificates() -> bool:
    import ssl

    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or paths.capath)
