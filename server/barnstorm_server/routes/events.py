"""Events: what happened, in commit order, as a long poll; and whether the server is well."""

from importlib.metadata import version

from sqlalchemy import Connection
from starlette.responses import Response

from barnstorm_server.store import outbox
from barnstorm_server.store.read_tasks import Asker, task_row

from .http import Ask, answer
from .waiting import until


async def ls(ask: Ask) -> Response:
    """Events with ids above `after`; waits for the first up to `wait_s`. `after=-1`: what comes from now on."""
    services, task = ask.services, ask.query_int("task", 0, 0, 2**62) or None
    after, limit = ask.query_int("after", -1, -1, 2**62), ask.query_int("limit", 100, 1, 1000)
    wait_s = ask.query_float("wait_s", 0, 0, 60)
    if task is not None:
        await services.read(task_row, task, ask.asker)
    if after < 0:
        after = await services.read(outbox.head)
    position = {"at": after}

    async def look() -> list[dict[str, object]] | None:
        before = -1
        while position["at"] > before:  # others' events are passed over: his own may come after them
            before = position["at"]
            events, position["at"] = await services.read(_read, before, limit, task, ask.asker)
            if events:
                return events
        return None

    with services.wakeups.events.heard() as heard:
        found = await until(ask.request, look, heard, wait_s)
    return answer({"items": found or [], "next": position["at"]})


def _read(
    connection: Connection, after: int, limit: int, task: int | None, asker: Asker
) -> tuple[list[dict[str, object]], int]:
    rows = outbox.read(connection, after, limit, task)
    seen: dict[int, bool] = {}
    events = []
    for row in rows:
        if asker.owner is not None and row.task_id not in seen:
            seen[row.task_id] = outbox.may_see(connection, row.task_id, asker.owner, asker.groups)
        if asker.owner is None or seen[row.task_id]:
            events.append(
                {
                    "id": row.id,
                    "at": row.at,
                    "kind": row.kind,
                    "task": row.task_id,
                    "jobs": row.jobs,
                    "state": row.state,
                    "reason": row.reason,
                }
            )
    return events, rows[-1].id if rows else after


async def health(ask: Ask) -> Response:
    """Whether writes and agents make progress: 200 or 503."""
    parts = {name: told() for name, told in ask.services.health.items()}
    ok = all(part["ok"] for part in parts.values())
    return answer({"ok": ok, **parts}, 200 if ok else 503)


async def about(ask: Ask) -> Response:
    """What answers here."""
    return answer({"name": "barnstorm", "version": version("barnstorm"), "api": 1})
