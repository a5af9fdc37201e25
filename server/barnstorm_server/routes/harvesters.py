"""Harvesters and workers: heartbeats, demand, planned workers, reports; and their lists."""

from pydantic import TypeAdapter
from starlette.responses import Response

from barnstorm.model.base import to_wire
from barnstorm.model.states import WORKER
from barnstorm.model.workers import HarvesterHello, PlannedWorker, WorkerReports, WorkersPlanned
from barnstorm_server.auth.policy import check_queue
from barnstorm_server.commands.tokens import NewToken, RecordTokens
from barnstorm_server.commands.workers import HarvesterBeat, KillWorker, PlanWorkers, ReportWorkers
from barnstorm_server.store.errors import Forbidden, Invalid, NotFound
from barnstorm_server.store.read_fleet import demand_of, harvester_workers, room_of, thing, things

from .http import Ask, answer, page, wire
from .waiting import until

# A pilot registers once, but its wrapper may have to begin again on a bad node.
JOIN_USES = 3
# Longer than any batch system keeps a worker waiting; the token can do nothing but register.
JOIN_TTL_S = 14 * 86_400.0

_HELLO, _PLANNED, _REPORTS = TypeAdapter(HarvesterHello), TypeAdapter(WorkersPlanned), TypeAdapter(WorkerReports)


async def heartbeat(ask: Ask) -> Response:
    """Renew the hold on queues; hear which to serve and which workers to end."""
    hello = await ask.message(_HELLO, mend=True)
    services = ask.services
    return wire(await services.do(HarvesterBeat(ask.path("name"), hello, ask.who.queues, services.catalog)))


async def demand(ask: Ask) -> Response:
    """What the waiting work of a queue needs; with `version` it waits for another one."""
    services, name = ask.services, ask.path("queue")
    if name not in services.catalog.queues:
        raise NotFound("queue", name)
    known, wait_s = ask.query_int("version", -1, -1, 2**62), ask.query_float("wait_s", 0, 0, 60)

    async def whole() -> dict[str, object]:
        version, parts = await services.read(demand_of, name)
        queue = services.catalog.queues[name]
        # Status and description are part of what a harvester must act on, so they are part of the version it waits by.
        return {
            "queue": name,
            "version": version * 1_000_000 + services.catalog.generation % 1_000_000,
            "parts": parts,
            "room": await services.read(room_of, services.wakeups.pilots.asking(name)),
            "status": services.catalog.status(name),
            "config_version": queue.version,
        }

    async def look() -> dict[str, object] | None:
        found = await whole()
        return found if found["version"] != known else None

    with services.wakeups.demand.heard() as heard:
        found = await until(ask.request, look, heard, wait_s)
    return answer(found or await whole())


async def plan(ask: Ask) -> Response:
    """Make workers known, each with the join token its pilot begins with, before they are submitted."""
    told, services, name = await ask.message(_PLANNED, mend=True), ask.services, ask.path("queue")
    if told.harvester != ask.who.subject:
        raise Forbidden(f"this token is harvester {ask.who.subject}'s", field="harvester", value=told.harvester)
    planned = await services.do(PlanWorkers(name, told.harvester, told.workers))
    issued = [
        (
            key,
            worker,
            services.authority.issue("join", f"w{worker}", JOIN_TTL_S, queues=(name,), worker=worker, uses=JOIN_USES),
        )
        for key, worker in planned
    ]
    records = [NewToken(one.jti, "join", f"w{worker}", one.expires_at, JOIN_USES, name) for _, worker, one in issued]
    await services.do(RecordTokens(ask.who.subject, records))
    return answer(
        {"workers": [to_wire(PlannedWorker(key, f"w{worker}", one.token)) for key, worker, one in issued]}, 201
    )


async def report(ask: Ask) -> Response:
    """What the batch systems say of workers; a word for each comes back."""
    told = await ask.message(_REPORTS, mend=True)
    return answer({"results": await ask.services.do(ReportWorkers(ask.path("name"), told.workers))})


async def own_workers(ask: Ask) -> Response:
    """A harvester's workers, each with its pilot's state."""
    live = ask.query("state") == "live"
    return page(*await ask.services.read(harvester_workers, ask.path("name"), live, *ask.page()))


async def ls(ask: Ask) -> Response:
    """Harvesters."""
    return page(*await ask.services.read(things, "harvester", {}, *ask.page()))


async def show(ask: Ask) -> Response:
    """One harvester."""
    return answer(await ask.services.read(thing, "harvester", ask.path("name")))


async def ls_workers(ask: Ask) -> Response:
    """Workers, newest first."""
    wanted = {name: ask.query(name) for name in ("queue", "state", "harvester") if ask.query(name)}
    if wanted.get("state", "live") not in (*WORKER.states, "live"):
        raise Invalid(
            "there is no such worker state", field="state", value=wanted["state"], allowed=[*WORKER.states, "live"]
        )
    return page(*await ask.services.read(things, "worker", wanted, *ask.page()))


async def show_worker(ask: Ask) -> Response:
    """One worker."""
    return answer(await ask.services.read(thing, "worker", ask.numbered("w", "worker")))


async def kill_worker(ask: Ask) -> Response:
    """Have a worker ended by its harvester."""
    number = ask.numbered("w", "worker")
    view = await ask.services.read(thing, "worker", number)
    if ask.scope == "own_queue":
        check_queue(ask.who, view["queue"])
    told = await ask.message(TypeAdapter(dict[str, str]))
    await ask.services.do(KillWorker(number, told.get("reason") or f"by {ask.who.subject}"))
    return answer(await ask.services.read(thing, "worker", number))
