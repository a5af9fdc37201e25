"""The connection of a command: the chosen context, and patience with a server that is busy."""

import time
from typing import Any

import click

from ..api.connection import Connection
from ..api.errors import Busy, Unreachable
from ..api.people import PeopleApi
from ..api.transport import Answer
from ..connect import transport_for
from ..contexts import Context, ContextError, resolve

BUSY_PATIENCE_S = 60.0


class CommandConnection(Connection):
    """Waits for a busy server, but tells at once when none answers; names the server in that message."""

    def __init__(self, context: Context) -> None:
        try:
            super().__init__(transport_for(context), context.token)
        except ValueError as error:
            raise ContextError(str(error)) from error
        self.context = context
        command = click.get_current_context(silent=True)
        if command is not None:
            command.call_on_close(self.transport.close)

    def send(self, *args: Any, **kwargs: Any) -> Answer:
        until = time.monotonic() + BUSY_PATIENCE_S
        while True:
            try:
                return super().send(*args, **kwargs)
            except Busy as error:
                if time.monotonic() + error.retry_after_s > until:
                    raise
                time.sleep(error.retry_after_s)
            except Unreachable as error:
                raise self.named(error) from error

    def named(self, error: Unreachable) -> Unreachable:
        text = str(error)
        if self.context.server in text:
            return error
        hint = "; is it running? jobctl up" if self.context.name == "local" else ""
        return Unreachable(f"{self.context.server} (context {self.context.name}): {text}{hint}")


def context_name() -> str:
    """The context named on the command line, or an empty text."""
    found = click.get_current_context().find_object(dict)
    return str((found or {}).get("context", ""))


def people() -> PeopleApi:
    """The server's calls in the chosen context. Raises ContextError when there is none."""
    return PeopleApi(CommandConnection(resolve(context_name())))
