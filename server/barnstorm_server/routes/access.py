"""What an attempt gives its pilot the right to: the inputs its task lists, and its owner's bytes."""

from barnstorm.model.ids import AttemptId
from barnstorm.model.states import ATTEMPT
from barnstorm.model.task import input_blobs, input_tasks
from barnstorm_server.store.errors import Forbidden, Invalid, Stale
from barnstorm_server.store.read_jobs import attempt_row, blob_is_output
from barnstorm_server.store.task_cache import KnownTask

from .http import Ask


async def holds(ask: Ask) -> tuple[AttemptId, KnownTask]:
    """The attempt that the query names, held by the asking pilot. Raises Invalid, Stale."""
    attempt = ask.query_attempt()
    if attempt is None:
        raise Invalid("names the attempt that needs this", field="attempt", value=None)
    row = await ask.services.read(attempt_row, attempt)
    if row.pilot_id != ask.who.pilot or row.state not in ATTEMPT.live:
        raise Stale(f"this pilot does not hold attempt {attempt}", ids=[str(attempt)])
    return attempt, await ask.services.read(ask.services.tasks.get, attempt.task)


async def check_input(ask: Ask, task: int | None = None, blob: str | None = None) -> None:
    """Raise Forbidden unless the pilot's attempt lists that task, or that blob, among its inputs."""
    attempt, known = await holds(ask)
    tasks = input_tasks(known.spec)
    if task is not None and task in tasks:
        return
    if blob is not None and blob in input_blobs(known.spec):
        return
    if blob is not None and tasks and await ask.services.read(blob_is_output, blob, sorted(tasks)):
        return
    raise Forbidden(f"attempt {attempt} does not list this among its inputs", ids=[str(attempt)])
