"""Pilots: registration, leases, heartbeats; and their lists. The hot routes."""

import asyncio
import base64
import time
from contextlib import AbstractContextManager, nullcontext

from pydantic import TypeAdapter
from starlette.responses import Response

from barnstorm.model.ids import AttemptId, InvalidId, parse_attempt, parse_prefixed
from barnstorm.model.pilots import Heartbeat, LeaseAnswer, LeaseRequest, PilotHello, PilotWelcome, Report
from barnstorm.model.queue import WorkerSlot, lanes_of, worker_of
from barnstorm.model.states import PILOT
from barnstorm_server.auth.policy import check_queue
from barnstorm_server.commands.heartbeat import Beat
from barnstorm_server.commands.lease import Lease
from barnstorm_server.commands.pilots import Hello, Wish
from barnstorm_server.store.errors import Forbidden, Invalid, NotFound
from barnstorm_server.store.read_fleet import thing, things
from barnstorm_server.store.read_jobs import attempt_row

from .http import Ask, answer, page, wire
from .waiting import until

# A pilot's token outlives its worker's walltime, so that late reports still find an open door.
TOKEN_GRACE_S = 6 * 3600.0
# No batch system gives more; a pilot that says so gets no longer life by it.
LONGEST_WORKER_S = 30 * 86_400.0

_HELLO, _LEASE, _BEAT = TypeAdapter(PilotHello), TypeAdapter(LeaseRequest), TypeAdapter(Heartbeat)


async def hello(ask: Ask) -> Response:
    """Register a pilot: its id, its own token, its queue's settings, how often to call."""
    told, services, who = await ask.message(_HELLO, mend=True), ask.services, ask.who
    check_queue(who, told.queue)
    queue = services.catalog.queues.get(told.queue)
    if queue is None:
        raise NotFound("queue", told.queue)
    worker = who.worker
    if told.worker:
        try:
            named = parse_prefixed("w", told.worker)
        except InvalidId as error:
            raise Invalid(str(error), field="worker", value=told.worker) from None
        if worker is not None and named != worker:
            raise Forbidden(f"this join token is for worker w{worker}", ids=[told.worker])
        worker = named
    number = await services.do(Hello(told, who.jti, worker, who.uses or 1, who.expires_at))
    ttl_s = min(max(told.walltime_left_s or told.shape.walltime_s, 3600.0), LONGEST_WORKER_S) + TOKEN_GRACE_S
    issued = services.authority.issue("pilot", f"p{number}", ttl_s, queues=(told.queue,), pilot=number, worker=worker)
    slot = worker_of(queue.config, lanes_of(queue.config)[0])
    idle_s = slot.idle_s if isinstance(slot, WorkerSlot) and slot.idle_s is not None else services.settings.pilot_idle_s
    drain_s = slot.drain_s if isinstance(slot, WorkerSlot) and slot.drain_s is not None else 0
    failed = [f"{check.name}: {check.said}" for check in told.checks if check.required and not check.ok]
    welcome = PilotWelcome(
        pilot=f"p{number}",
        token=issued.token,
        clock=services.dispatch.clock,
        settings=queue.config.pilot,
        server_time=time.time(),
        idle_s=idle_s,
        drain_s=drain_s,
        refused=f"a check of the node failed: {'; '.join(failed)}" if failed else "",
    )
    if failed:
        await services.do(Wish(number, "exit", welcome.refused))
    return wire(welcome, 201)


async def lease(ask: Ask) -> Response:
    """Accept reports and grant what fits; without reports, and with room, wait for work up to `wait_s`."""
    request, services = await ask.message(_LEASE, mend=True), ask.services
    pilot = _own(ask)
    for report in request.reports:
        await _keep_logs(ask, pilot, report)
    wait_s = 0.0 if request.reports or request.max == 0 else request.wait_s

    async def look() -> LeaseAnswer | None:
        asked = Lease(pilot, request, services.dispatch)
        found = await services.do(asked)
        if asked.left_some and not found.grants:
            services.wakeups.pilots.pass_on(ask.who.queues[0])
        return found if found.grants or found.results or found.commands else None

    with _line(ask, pilot, request, wait_s) as heard:
        found = await until(ask.request, look, heard, wait_s)
    for result in found.results if found else ():
        if result.status != "stale":
            _over(ask, parse_attempt(result.attempt))
    return wire(found or LeaseAnswer(clock=services.dispatch.clock))


async def heartbeat(ask: Ask) -> Response:
    """Keep the pilot's leases; hear of commands."""
    beat, services = await ask.message(_BEAT, mend=True), ask.services
    told = await services.do(Beat(_own(ask), beat, services.dispatch))
    others = {command.attempt for command in told.commands if command.verb == "stop"}
    for held in beat.held:
        if held.sample and held.attempt not in others:
            services.keep_sample(parse_attempt(held.attempt), held.sample)
    return wire(told)


async def ls(ask: Ask) -> Response:
    """Pilots, newest first."""
    wanted = {name: ask.query(name) for name in ("queue", "state") if ask.query(name)}
    if wanted.get("state", "live") not in (*PILOT.states, "live"):
        raise Invalid(
            "there is no such pilot state", field="state", value=wanted["state"], allowed=[*PILOT.states, "live"]
        )
    return page(*await ask.services.read(things, "pilot", wanted, *ask.page()))


async def show(ask: Ask) -> Response:
    """One pilot with its node's facts and checks."""
    return answer(await ask.services.read(thing, "pilot", ask.numbered("p", "pilot")))


def _line(ask: Ask, pilot: int, request: LeaseRequest, wait_s: float) -> AbstractContextManager[asyncio.Event]:
    """The pilot's place in the line of those that wait; none for a call that does not wait."""
    if wait_s <= 0:
        return nullcontext(asyncio.Event())
    return ask.services.wakeups.pilots.heard(ask.who.queues[0], pilot, request.free)


def _own(ask: Ask) -> int:
    pilot = ask.who.pilot
    assert pilot is not None  # the policy lets only pilots' tokens in
    return pilot


async def _keep_logs(ask: Ask, pilot: int, report: Report) -> None:
    """Keep the last pieces of logs that came with a report. They are named by attempt, so a stale one harms nothing."""
    for piece in report.logs:
        try:
            attempt, data = parse_attempt(report.attempt), base64.b64decode(piece.data, validate=True)
        except ValueError as error:  # no id, no base64, or no ASCII even
            raise Invalid(f"is no base64 piece of a log: {error}", field="reports.logs.data") from None
        if data and await _is_holder(ask, pilot, attempt):
            await ask.services.file(ask.services.logs.append, attempt, piece.stream, piece.offset, data)
            ask.services.wakeups.log_grown(attempt.task, attempt.index)


async def _is_holder(ask: Ask, pilot: int, attempt: AttemptId) -> bool:
    try:
        return bool((await ask.services.read(attempt_row, attempt)).pilot_id == pilot)
    except NotFound:
        return False


def _over(ask: Ask, attempt: AttemptId) -> None:
    """An attempt has ended: its sample is of no use, and who follows its log may hear that nothing follows."""
    ask.services.samples.pop(attempt, None)
    ask.services.wakeups.log_grown(attempt.task, attempt.index)
