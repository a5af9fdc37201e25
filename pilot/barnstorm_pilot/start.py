"""The start of an agent: checks, hello, and putting the parts together."""

import os
import signal
import socket
import time
import uuid
from typing import Callable, Optional

from barnstorm.api.connection import Connection
from barnstorm.api.errors import ApiError, Unreachable
from barnstorm.api.pilot import PilotApi
from barnstorm.api.transport import StdlibTransport
from barnstorm.model.pilots import CheckResult, PilotHello, PilotWelcome
from barnstorm.model.queue import PilotSettings
from barnstorm.model.shape import Shape

from . import cgroup, checks, environment, exits, native
from .agent import Agent
from .checks import node
from .checks.facts import facts, hardware
from .checks.reach import reach_check
from .children import Children
from .family import Families
from .host import Host, gpu_ids, make_base
from .journal import Journal
from .line import is_passing
from .loop import Loop
from .settings import Settings
from .shipping import Shipper
from .slots import SlotPool
from .stage.cache import BlobCache
from .stage.inputs import stagers
from .threads import Crew

VERSION = "0.1.0"
_CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGXCPU)


class CannotStart(Exception):
    """The pilot must leave before it has begun; `code` is its exit code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


def run(settings: Settings, tell: Callable[[str], None]) -> int:
    """Run an agent to its end; returns the exit code. `tell` hears of the directory that is its own."""
    begin = time.monotonic()
    journal = Journal(settings.log_level, queue=settings.queue, worker=settings.worker)
    os.umask(0o022)
    native.adopt_orphans()
    loop = Loop()
    loop.catch(signal.SIGCHLD, *_CAUGHT)
    try:
        agent = _start(settings, journal, loop, begin)
        tell(agent.host.base)
    except CannotStart as error:
        journal.error("cannot start", why=error, code=error.code)
        return error.code
    return agent.run()


def _start(settings: Settings, journal: Journal, loop: Loop, begin: float) -> Agent:
    try:
        transport = StdlibTransport(settings.server, settings.ca_file)
    except (ValueError, OSError) as error:
        raise CannotStart(exits.USAGE, str(error)) from None
    work_dir = _work_dir(settings.work_dir or os.environ.get("TMPDIR", "/tmp"))
    connection = Connection(transport, settings.join_token)
    results = checks.run(
        [
            *node.basic(work_dir, settings.cores, settings.memory_mib, settings.disk_mib),
            ("server", reach_check(connection)),
        ]
    )
    shape = offered(settings, work_dir)
    welcome = _hello(settings, journal, loop, PilotApi(connection), shape, work_dir, results)
    journal.about["pilot"] = welcome.pilot
    if not settings.work_dir and welcome.settings.work_dir:
        work_dir = _work_dir(welcome.settings.work_dir)
        _check_again(work_dir, settings)
    _check_isolation(welcome.settings, journal)
    connection.token = welcome.token
    host = _host(settings, welcome, work_dir, loop, journal, PilotApi(connection), shape, begin)
    journal.info(
        "started", cores=shape.cores, memory_mib=shape.memory_mib, disk_mib=shape.disk_mib, gpus=shape.gpus,
        work_dir=host.base, start_ms=round((time.monotonic() - begin) * 1000),
    )  # fmt: skip
    idle_s = welcome.idle_s if settings.idle_s is None else settings.idle_s
    return Agent(host, welcome.clock, idle_s, welcome.drain_s)


def _work_dir(told: str) -> str:
    path = os.path.abspath(os.path.expandvars(told))
    if "$" in path:
        raise CannotStart(exits.NODE, f"work directory {told!r}: the node does not set that variable")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise CannotStart(exits.NODE, f"work directory {path} cannot be made: {error.strerror}") from None
    return path


def offered(settings: Settings, work_dir: str) -> Shape:
    """What this pilot gives to jobs: what it was told, but never more than there is."""
    cores, memory = node.usable_cores(), node.usable_memory_mib()
    try:
        disk = node.free_disk_mib(work_dir)
    except OSError as error:
        raise CannotStart(exits.NODE, f"work directory {work_dir}: {error.strerror}") from None
    memory_mib = min(one for one in (settings.memory_mib, memory, 1 << 30) if one)
    disk_mib = int(disk * 0.9) if settings.disk_mib is None else min(settings.disk_mib, disk)
    return Shape(
        min(settings.cores or cores, cores), memory_mib, settings.walltime_s, min(disk_mib, 1 << 30), settings.gpus
    )


def _hello(
    settings: Settings,
    journal: Journal,
    loop: Loop,
    api: PilotApi,
    shape: Shape,
    work_dir: str,
    results: list[CheckResult],
) -> PilotWelcome:
    hello = PilotHello(uuid.uuid4().hex, settings.queue, shape, settings.worker)
    hello.node, hello.version = socket.gethostname(), VERSION
    hello.facts, hello.checks = facts(work_dir), results
    hello.walltime_left_s = float(settings.walltime_s)
    for one in results:
        (journal.debug if one.ok else journal.warning)(
            "check", name=one.name, ok=one.ok, said=one.said, required=one.required
        )
    welcome, sent, received = _patiently(api, hello, settings, journal, loop)
    if welcome.server_time:
        journal.info("welcome", clock_offset_s=(sent + received) / 2 - welcome.server_time)
    failed = [one for one in results if one.required and not one.ok]
    if failed or welcome.refused:
        why = welcome.refused or "; ".join(f"{one.name}: {one.said}" for one in failed)
        raise CannotStart(exits.NODE if failed else exits.REFUSED, why)
    return welcome


def _patiently(
    api: PilotApi, hello: PilotHello, settings: Settings, journal: Journal, loop: Loop
) -> tuple[PilotWelcome, float, float]:
    """Say hello until somebody answers. The key in it makes a repeat harmless."""
    until, pause = time.monotonic() + settings.connect_s, 0.1
    while True:
        sent = time.time()
        try:
            return api.hello(hello), sent, time.time()
        except (ApiError, Unreachable) as error:
            if not is_passing(error):
                raise CannotStart(exits.REFUSED, f"the server refused this pilot: {error}") from None
            if time.monotonic() + pause > until:
                raise CannotStart(
                    exits.UNREACHABLE, f"the server at {settings.server} cannot be reached: {error}"
                ) from None
            journal.warning("server unreachable", call="hello", why=error)
        if loop.sleep(pause):
            raise CannotStart(exits.SIGNALLED, "a signal came before the server answered")
        pause = min(pause * 2, 5.0)


def _check_again(work_dir: str, settings: Settings) -> None:
    found = checks.run(
        [("work_dir", node.work_dir_check(work_dir)), ("disk", node.disk_check(work_dir, settings.disk_mib))]
    )
    failed = [one for one in found if one.required and not one.ok]
    if failed:
        raise CannotStart(exits.NODE, "; ".join(f"{one.name}: {one.said}" for one in failed))


def _check_isolation(queue: PilotSettings, journal: Journal) -> None:
    """The server gives many owners' jobs to a queue that isolates them. Where we cannot, we must not begin."""
    if queue.isolation != "none":
        raise CannotStart(
            exits.NODE, f"the queue promises isolation by {queue.isolation}, which this pilot cannot give"
        )
    if queue.container is not None:
        journal.warning("payloads run without a container: this pilot has no container support yet")


def _host(
    settings: Settings,
    welcome: PilotWelcome,
    work_dir: str,
    loop: Loop,
    journal: Journal,
    api: PilotApi,
    shape: Shape,
    begin: float,
) -> Host:
    try:
        base = make_base(work_dir, welcome.pilot)
    except OSError as error:
        raise CannotStart(exits.NODE, f"no directory in {work_dir}: {error.strerror}") from None
    children = Children()
    visible: Optional[str] = os.environ.get("CUDA_VISIBLE_DEVICES")
    host = Host(
        settings=settings,
        queue=welcome.settings,
        pilot=welcome.pilot,
        base=base,
        api=api,
        loop=loop,
        journal=journal,
        pool=SlotPool(shape, gpu_ids(shape.gpus, visible)),
        children=children,
        families=Families(children),
        shipper=Shipper(loop, api, journal),
        crew=Crew(loop, "files", 4),
        stagers=stagers(),
        cache=BlobCache(os.path.join(base, "cache"), settings.cache_mib << 20),
        base_env=environment.base(os.environ),
        hardware=hardware(),
        ends_at=begin + settings.walltime_s,
        oom_kills=cgroup.oom_kills(),
    )
    loop.on_signal = lambda number: children.reap() if number == signal.SIGCHLD else None
    return host
