"""Tasks: submission, lists, kills and retries."""

from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from sqlalchemy import Connection
from starlette.responses import Response

from barnstorm.model.base import Spec, field
from barnstorm.model.ids import InvalidId, JobId, parse_task_or_job, ranges, spans, total
from barnstorm.model.states import TASK
from barnstorm.model.task import TaskSpec, check_task, content_of
from barnstorm_server.commands.endings import KillJob, KillTask
from barnstorm_server.commands.submit import SubmitTask
from barnstorm_server.store.errors import Conflict, Forbidden, Invalid
from barnstorm_server.store.read_jobs import failed_indices, job_row
from barnstorm_server.store.read_tasks import Asker, TaskFilter, task_page, task_row, task_view

from .http import Ask, answer, page


@dataclass
class NewTask(Spec):
    """POST /v1/tasks."""

    key: str = field(min_length=1, max_length=100, doc="made by the client; a repeat gets the first answer")
    spec: TaskSpec = field()


@dataclass
class Kill(Spec):
    """POST /v1/kill: ids of tasks (`48213`) and jobs (`48213.7`)."""

    ids: list[str] = field(doc="at most 1,000")
    reason: str = field("", max_length=500)


@dataclass
class Retry(Spec):
    """POST /v1/tasks/{task}/retry. `jobs`: ranges of indices; none: all that did not end well."""

    key: str = field(min_length=1, max_length=100)
    jobs: str | None = field(None, max_length=1_000_000)


_NEW, _KILL, _RETRY = TypeAdapter(NewTask), TypeAdapter(Kill), TypeAdapter(Retry)


async def submit(ask: Ask) -> Response:
    """Accept a task. 201 means it is on disk; its jobs may still be being made, slice by slice."""
    new = await ask.message(_NEW)
    check_task(new.spec)
    spec = _for(ask, new.spec)
    command = SubmitTask(ask.who.subject, ask.who.groups, new.key, spec)
    task = await ask.services.do(command)
    return answer(await ask.services.read(task_view, task, ask.asker), 201)


async def ls(ask: Ask) -> Response:
    """Tasks, newest first."""
    states = ask.query_list("state")
    unknown = [state for state in states if state not in TASK.states]
    if unknown:
        raise Invalid("there is no such task state", field="state", value=unknown[0], allowed=TASK.states)
    labels = dict(_label(told) for told in ask.query_list("label"))
    wanted = TaskFilter(tuple(states), ask.query("user"), ask.query("name"), labels)
    return page(*await ask.services.read(task_page, wanted, ask.asker, *ask.page()))


async def show(ask: Ask) -> Response:
    """One task with its spec and counts."""
    return answer(await ask.services.read(task_view, ask.task(), ask.asker))


async def kill(ask: Ask) -> Response:
    """End tasks and jobs as cancelled: none of them starts any more, what runs is ended. Repeating it is harmless."""
    wanted = await ask.message(_KILL)
    if len(wanted.ids) > 1000:
        raise Invalid("at most 1,000 at once", field="ids", value=len(wanted.ids), allowed=1000)
    why = wanted.reason or f"killed by {ask.who.subject}"
    owner, groups = ask.asker.owner, ask.asker.groups
    things = [_task_or_job(told) for told in wanted.ids]
    await ask.services.read(_check_there, things, ask.asker)
    commands: list[KillTask | KillJob] = [
        KillTask(task, owner, groups, why) if index is None else KillJob(task, index, owner, groups, why)
        for task, index in things
    ]
    killed = ended = 0
    for command in commands:
        count = int(await ask.services.do(command))
        killed += count
        ended += count == 0
    return answer({"killed": killed, "already_ended": ended})


async def retry(ask: Ask) -> Response:
    """A new task with the jobs of this one that did not end well: an ended job stays as it ended, with its history."""
    wanted, task = await ask.message(_RETRY), ask.task()
    row = await ask.services.read(task_row, task, ask.asker)
    known = await ask.services.read(ask.services.tasks.get, task)
    if wanted.jobs is not None:
        indices = _indices(wanted.jobs, row.n_jobs)
    elif row.ended_at is None:
        raise Conflict(f"task {task} has not ended; name the jobs to run again, or jobctl wait {task}", ids=[str(task)])
    else:
        indices = await ask.services.read(failed_indices, task)
    if not indices:
        raise Conflict(f"all jobs of task {task} ended well", ids=[str(task)])
    only = ranges(content_of(known.spec, index) for index in indices)
    spec = replace(known.spec, only=only if known.spec.over is not None else None, after=[])
    spec = _for(ask, spec)
    new = await ask.services.do(SubmitTask(ask.who.subject, ask.who.groups, wanted.key, spec, retry_of=task))
    return answer(await ask.services.read(task_view, new, ask.asker), 201)


def _check_there(connection: Connection, things: list[tuple[int, int | None]], asker: Asker) -> None:
    """Raise NotFound unless all of these tasks and jobs are there for the asker: none is killed if one is not."""
    for task, index in things:
        if index is None:
            task_row(connection, task, asker)
        else:
            job_row(connection, JobId(task, index), asker)


def _for(ask: Ask, spec: TaskSpec) -> TaskSpec:
    """The spec with its owner's group; raises for a group that is not the caller's."""
    groups = ask.who.groups
    if spec.group and spec.group not in groups and ask.scope != "any":
        raise Forbidden(
            f"you are not in group {spec.group}", field="spec.group", value=spec.group, allowed=list(groups)
        )
    if not spec.share:
        spec = replace(spec, share=spec.group)
    return spec


def _label(told: str) -> tuple[str, str]:
    key, equals, value = told.partition("=")
    if not equals:
        raise Invalid("a label is KEY=VALUE", field="label", value=told)
    return key, value


def _indices(told: str, jobs: int) -> list[int]:
    try:
        found = spans(told)
    except InvalidId as error:
        raise Invalid(str(error), field="jobs", value=told[:200]) from None
    if any(span[-1] >= jobs for span in found):
        raise Invalid(f"the task has {jobs:,} jobs, numbered from 0", field="jobs", value=told[:200])
    if total(told) > jobs:
        raise Invalid("names a job twice", field="jobs", value=told[:200])
    return [index for span in found for index in span]


def _task_or_job(told: str) -> tuple[int, int | None]:
    try:
        return parse_task_or_job(told)
    except InvalidId as error:
        raise Invalid(str(error), field="ids", value=told) from None
