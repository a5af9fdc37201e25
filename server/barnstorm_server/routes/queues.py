"""Queues: descriptions, status, marks, decisions."""

import time
from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from starlette.responses import Response

from barnstorm.model.base import Spec, field, to_wire
from barnstorm.model.ids import InvalidId, parse_task
from barnstorm.model.marks import Mark, Status
from barnstorm.model.queue import SITE_BLOCKS, QueueConfig, check_queue
from barnstorm_server.commands.queues import AddMark, PutQueue, TakeMark
from barnstorm_server.store.catalog import CatalogQueue
from barnstorm_server.store.errors import Forbidden, Invalid, NotFound
from barnstorm_server.store.read_fleet import decisions, queue_view

from .http import Ask, answer, page, wire

_CONFIG = TypeAdapter(QueueConfig)


LAST_SECOND = 253_402_300_799  # of the year 9999, in which calendars end


@dataclass
class NewMark(Spec):
    """POST /v1/queues/{q}/marks."""

    key: str = field(min_length=1, max_length=100)
    status: Status = "offline"
    why: str = field("", max_length=500)
    until: float | None = field(None, le=LAST_SECOND, unit="s", doc="epoch seconds")


_MARK = TypeAdapter(NewMark)


async def ls(ask: Ask) -> Response:
    """All queues, by name."""
    cursor, limit = ask.page()
    names = [name for name in sorted(ask.services.catalog.queues) if cursor is None or name > cursor]
    now = time.time()
    views = [await ask.services.read(queue_view, ask.services.catalog.queues[name], now) for name in names[:limit]]
    return page(views, names[limit - 1] if len(names) > limit else None)


async def show(ask: Ask) -> Response:
    """One queue."""
    return answer(await ask.services.read(queue_view, _queue(ask), time.time()))


async def put(ask: Ask) -> Response:
    """Store a queue's description. Operators own all of it but what a site holds as its own; sites their own blocks."""
    config = await ask.message(_CONFIG)
    if config.name != ask.path("queue"):
        raise Invalid(f"the path says {ask.path('queue')}", field="name", value=config.name)
    check_queue(config)
    blocks: tuple[str, ...] = ()
    if ask.scope == "own_queue":
        _check_site(config, _queue(ask).config)
        blocks = SITE_BLOCKS
    await ask.services.do(PutQueue(config, ask.who.subject, blocks))
    return answer(await ask.services.read(queue_view, _queue(ask), time.time()))


def _check_site(new: QueueConfig, old: QueueConfig) -> None:
    """A site changes its own blocks only. Raises Forbidden naming the first field that is not its own."""
    kept = replace(new, **{name: getattr(old, name) for name in SITE_BLOCKS})
    if kept == old:
        return
    before, after = to_wire(old), to_wire(kept)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    raise Forbidden(
        f"{changed[0]} is the operator's; a site changes {' and '.join(SITE_BLOCKS)}",
        field=changed[0],
        allowed=list(SITE_BLOCKS),
    )


async def history(ask: Ask) -> Response:
    """Harvesters' decisions for a queue, newest first."""
    _, limit = ask.page()
    return answer({"items": await ask.services.read(decisions, _queue(ask).config.name, limit)})


async def mark(ask: Ask) -> Response:
    """Put a mark on a queue; its status is the most restrictive of its marks."""
    told = await ask.message(_MARK)
    if told.until is not None and told.until <= time.time():
        raise Invalid("is in the past", field="until", value=told.until)
    new = Mark(told.status, told.why, ask.who.subject, told.until)
    return wire(await ask.services.do(AddMark(_queue(ask).config.name, told.key, new)), 201)


async def unmark(ask: Ask) -> Response:
    """Take a mark off a queue."""
    try:
        number = parse_task(ask.path("mark"))  # marks are numbered as tasks are
    except InvalidId:
        raise Invalid("is the number of a mark", field="mark", value=ask.path("mark")[:200]) from None
    await ask.services.do(TakeMark(_queue(ask).config.name, number, None if ask.scope == "any" else ask.who.subject))
    return Response(status_code=204)


async def schema(ask: Ask) -> Response:
    """The JSON Schema of queue files."""
    return answer(_CONFIG.json_schema())


def _queue(ask: Ask) -> CatalogQueue:
    found = ask.services.catalog.queues.get(ask.path("queue"))
    if found is None:
        raise NotFound("queue", ask.path("queue"))
    return found
