"""Jobs: lists, views, logs and outputs."""

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from barnstorm.model.ids import AttemptId
from barnstorm.model.states import ATTEMPT, JOB
from barnstorm_server.files.logs import STREAMS
from barnstorm_server.store.errors import Invalid, NotFound, Stale
from barnstorm_server.store.read_jobs import (
    JobFilter,
    attempt_row,
    job_page,
    job_row,
    job_view,
    output,
    output_page,
)
from barnstorm_server.store.read_tasks import task_row

from .access import check_input
from .http import Ask, answer, page
from .waiting import until

MAX_LOG_PIECE = 4 * 2**20


async def ls(ask: Ask) -> Response:
    """Jobs of all tasks, newest task first."""
    return await _list(ask, None)


async def of_task(ask: Ask) -> Response:
    """Jobs of one task, by index."""
    await ask.services.read(task_row, ask.task(), ask.asker)
    return await _list(ask, ask.task())


async def _list(ask: Ask, task: int | None) -> Response:
    states = ask.query_list("state")
    unknown = [state for state in states if state not in JOB.states]
    if unknown:
        raise Invalid("there is no such job state", field="state", value=unknown[0], allowed=JOB.states)
    wanted = JobFilter(task, tuple(states), ask.query("queue"), ask.query("user"))
    return page(*await ask.services.read(job_page, ask.services.tasks, wanted, ask.asker, *ask.page()))


async def show(ask: Ask) -> Response:
    """One job with its attempts, their logs' sizes and its outputs."""
    services, job = ask.services, ask.job()
    view = await services.read(job_view, services.tasks, job, ask.asker)
    for attempt in view["attempt_list"]:
        which = AttemptId(job.task, job.index, attempt["number"])
        for stream in STREAMS:
            attempt[f"{stream}_bytes"] = await services.file(services.logs.size, which, stream)
        if which in services.samples and attempt["state"] in ATTEMPT.live:
            attempt["sample"] = services.samples[which]
    return answer(view)


async def log(ask: Ask) -> Response:
    """Bytes of a log from `offset` on; waits for the first one if asked to."""
    services, job = ask.services, ask.job()
    stream, offset = ask.query("stream", "stdout"), ask.query_int("offset", 0, 0, 2**62)
    limit, wait_s = ask.query_int("limit", MAX_LOG_PIECE, 1, MAX_LOG_PIECE), ask.query_float("wait_s", 0, 0, 60)
    wanted = ask.query_int("attempt", 0, 0, 2**31)
    if stream not in STREAMS:
        raise Invalid("there is no such stream", field="stream", value=stream, allowed=list(STREAMS))
    row = await services.read(job_row, job, ask.asker)

    async def look() -> tuple[bytes, int, bool] | None:
        row = await services.read(job_row, job, ask.asker)
        number = wanted or row.next_attempt - 1
        over, data = row.state in JOB.terminal, b""
        if number >= 1:
            attempt = AttemptId(*job, number)
            # A killed job is over at once, but its payload may still have something to say: the attempt counts.
            alive = (await services.read(attempt_row, attempt)).state in ATTEMPT.live
            over = not alive and (over or number < row.next_attempt - 1)
            data = await services.file(services.logs.read, attempt, stream, offset, limit)
        complete = over and len(data) < limit
        return (data, number, complete) if data or over else None

    if wanted >= row.next_attempt:
        raise NotFound("attempt", f"{job}/{wanted}")
    with services.wakeups.log_heard(*job) as heard:
        found = await until(ask.request, look, heard, wait_s)
    data, number, complete = found or (b"", wanted or row.next_attempt - 1, False)
    headers = {
        "X-Barnstorm-Attempt": str(number),
        "X-Barnstorm-Offset": str(offset),
        "X-Barnstorm-Complete": "true" if complete else "false",
    }
    return Response(data, 200, headers, "application/octet-stream")


async def put_log(ask: Ask) -> Response:
    """Keep a piece of an attempt's log; the answer says how many bytes are on disk now."""
    services, attempt, stream = ask.services, ask.attempt(), ask.path("stream")
    if stream not in STREAMS:
        raise Invalid("there is no such log", field="stream", value=stream[:200], allowed=list(STREAMS))
    row = await services.read(attempt_row, attempt)
    if ask.who.pilot != row.pilot_id:
        raise Stale(f"attempt {attempt} is not this pilot's", ids=[str(attempt)])
    services.check_disk()
    data = await ask.body(MAX_LOG_PIECE)
    kept = await services.file(services.logs.append, attempt, stream, ask.query_int("offset", 0, 0, 2**62), data)
    if kept.gap:
        raise Stale(f"{kept.kept} bytes of this log are kept; send from there", field="offset", allowed=kept.kept)
    services.wakeups.log_grown(attempt.task, attempt.index)
    return answer({"offset": kept.kept})


async def outputs(ask: Ask) -> Response:
    """Output files of a task's finished jobs."""
    task = ask.task()
    if ask.scope == "own_attempt":
        await check_input(ask, task=task)
    else:
        await ask.services.read(task_row, task, ask.asker)
    name = ask.query("name") or None
    index = ask.query_int("job", 0, 0, 2**31) if ask.query("job") else None
    return page(*await ask.services.read(output_page, task, name, index, *ask.page()))


async def get_output(ask: Ask) -> Response:
    """The bytes of one output file."""
    services, job = ask.services, ask.job()
    await services.read(job_row, job, ask.asker)
    found = await services.read(output, job, ask.path("name"))
    return StreamingResponse(
        _pieces(ask, found.blob, found.size), 200, {"Content-Length": str(found.size)}, "application/octet-stream"
    )


def _pieces(ask: Ask, blob: str, size: int) -> Iterator[bytes]:
    return ask.services.blobs.pieces(blob, 0, size - 1)
