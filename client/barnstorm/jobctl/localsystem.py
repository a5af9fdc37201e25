"""What `jobctl up` makes around its two programs: the login, the first queue, the port, the words."""

import socket
from dataclasses import dataclass
from typing import Any, Optional

import click

from ..api.errors import Unreachable
from ..api.transport import StdlibTransport
from ..contexts import Context, ContextError, load, read_token
from .datahold import DataDir


@dataclass(frozen=True)
class Plan:
    """What was asked for on the command line."""

    data: DataDir
    host: str
    port: Optional[int]
    cores: Optional[int]
    memory_mib: Optional[int]
    context: str


def healthy(url: str) -> bool:
    """Whether the server answers that it is well."""
    transport = StdlibTransport(url)
    try:
        return transport.send("GET", "/healthz", {}, None, 2.0).status == 200
    except Unreachable:
        return False
    finally:
        transport.close()


def is_free(host: str, port: int) -> bool:
    """Whether a port can be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def log_in(plan: Plan, url: str) -> None:
    """Keep this user's token as a context, and make it the current one."""
    try:
        token = read_token(str(plan.data.path / "tokens" / "operator.token"))
        contexts = load()
        before = contexts.current
        contexts.put(Context(plan.context, url, token))
        contexts.save()
    except ContextError as error:
        click.echo(f"warning: you are not logged in: {error}", err=True)
        return
    if before not in ("", plan.context):
        click.echo(f"the context is {plan.context} now; back: jobctl context use {before}", err=True)


def local_queue(plan: Plan) -> dict[str, Any]:
    """A queue for this machine: one worker with all of it, shared by the jobs that fit."""
    from barnstorm_plugins.submitters import machine

    cores, memory_mib = machine.cores_for_pilots(plan.cores), machine.memory_for_pilots(plan.memory_mib)
    disk_mib, week_s = machine.disk_mib(plan.data.path) // 2, 7 * 86_400  # the free half, for others write there too
    sizes = {"cores": cores, "memory_mib": memory_mib, "walltime_s": week_s, "disk_mib": disk_mib}
    return {
        "name": "local",
        "site": "local",
        "note": "Made by jobctl up from what this machine has. Change it and run: jobctl queue apply THIS_FILE",
        "accepts": {name: {"max": most} for name, most in sizes.items()},
        "limits": {"new_workers_per_min": 60},
        "worker": {**sizes, "idle_s": 300},
        "submitter": {"type": "local"},
    }


def welcome(plan: Plan, url: str) -> list[str]:
    """What to say when everything runs."""
    return [
        f"Barnstorm runs at {url}",
        f"data     {plan.data.path}",
        f"logs     {plan.data.path / 'logs'}",
        f"context  {plan.context}",
        "try      jobctl submit -- echo hello",
    ]
