"""`barnstorm-server run`: the server as one process, from its settings to a clean end."""

import argparse
import logging
import os
import socket
import ssl
import sys
from collections.abc import Sequence

import uvicorn

from barnstorm.settingsfile import Loaded
from barnstorm_server.auth.private import own_directory
from barnstorm_server.journal import set_up
from barnstorm_server.listening import Listening, bind
from barnstorm_server.settings import Settings
from barnstorm_server.store.errors import StoreError

log = logging.getLogger("barnstorm.server")

KEEP_ALIVE_S = 75  # longer than the pause between a pilot's calls, so that it keeps its connection
MAX_HEADER_BYTES = 64 * 1024


def run(loaded: Loaded[Settings], arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean end, 1 when it could not start or was cut short."""
    argparse.ArgumentParser("barnstorm-server run", description="Run the server.").parse_args(arguments)
    settings = loaded.settings
    set_up(settings.log_level, settings.log_format)
    os.umask(0o077)
    own_directory(settings.data_dir)
    try:
        with bind(settings.host, settings.port) as listener:
            return _serve(settings, listener)
    except (StoreError, OSError, ssl.SSLError) as error:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            log.exception("not started")
        print(f"barnstorm-server: {_words(error, settings)}", file=sys.stderr)
        return 1


def _serve(settings: Settings, listener: socket.socket) -> int:
    # The application brings the store, which may have to be upgraded: only now that the address is known to be free.
    from barnstorm_server.app import build

    config = uvicorn.Config(
        build(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_s,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    config.load()
    server = Listening(config, settings)
    try:
        server.run([listener])
    except SystemExit as end:  # uvicorn's word for an application that did not start; it has told why
        return int(end.code or 1) and 1
    return 0 if server.started and not server.force_exit else 1


def _words(error: Exception, settings: Settings) -> str:
    if isinstance(error, ssl.SSLError):
        return f"tls_cert {settings.tls_cert} and tls_key {settings.tls_key} cannot be used: {error.reason or error}"
    return str(error)
