"""`explain`: gathers the facts and lets the rules tell them."""

import time
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from barnstorm.model.ids import JobId
from barnstorm_server.rules.buckets import bucket_of
from barnstorm_server.rules.explain import JobFacts, QueueFacts, explain_job
from barnstorm_server.rules.matching import match
from barnstorm_server.services import Services
from barnstorm_server.store import explain_facts
from barnstorm_server.store.errors import NotFound
from barnstorm_server.store.read_fleet import decisions, queue_view
from barnstorm_server.store.read_jobs import job_view
from barnstorm_server.store.read_tasks import Asker, task_view

from .http import Ask, answer


async def job(ask: Ask) -> Response:
    """Why a job is where it is."""
    facts = await ask.services.read(_job_facts, ask.services, ask.job(), ask.asker)
    return answer(explain_job(facts))


async def task(ask: Ask) -> Response:
    """Why a task is where it is: by its first job that has not ended, else by its first that did not end well."""
    number = ask.task()
    await ask.services.read(task_view, number, ask.asker)
    index = await ask.services.read(explain_facts.telling_job, number)
    facts = await ask.services.read(_job_facts, ask.services, JobId(number, index), ask.asker)
    told = explain_job(facts)
    counts = ", ".join(f"{n:,} {state}" for state, n in sorted(facts.task["counts"].items()))
    told["facts"].insert(0, {"label": "Task", "text": f"{facts.task['state']}: {counts}. Told by job {told['id']}"})
    return answer(told)


async def queue(ask: Ask) -> Response:
    """Why a queue has the workers it has."""
    services, now = ask.services, time.time()
    known = services.catalog.queues.get(ask.path("queue"))
    if known is None:
        raise NotFound("queue", ask.path("queue"))
    view = await services.read(queue_view, known, now)
    last = await services.read(decisions, view["name"], 10)
    mark = known.mark(now)
    workers, waiting = sum(view["workers"].values()), view["jobs"]["waiting"]
    head = f"{view['status'].upper()}: {workers} workers, {waiting:,} jobs wait for it."
    if mark.why:
        head += f' Marked by {mark.who}: "{mark.why}".'
    if view["harvester"] is None:
        head += " No harvester serves it, so no worker is started."
    facts = [
        {
            "label": f"Lane {lane['lane']}",
            "text": f"{lane['waiting']:,} wait, {_counts(lane['workers'])}. {_decision(lane['decision'])}",
        }
        for lane in view["lanes"]
    ]
    history = [{"at": one["at"], "text": f"{one['lane']} {one['change']:+d}: {one['why']}"} for one in reversed(last)]
    told = {
        "id": view["name"],
        "state": view["status"],
        "word": view["status"],
        "head": head,
        "needs": {},
        "queues": [],
    }
    return answer({**told, "facts": facts, "history": history, "advice": []})


def _counts(workers: dict[str, int]) -> str:
    return ", ".join(f"{n} {state}" for state, n in sorted(workers.items())) or "no workers"


def _decision(decision: dict[str, Any] | None) -> str:
    return f"{decision['change']:+d}: {decision['why']}" if decision else "No decision yet"


def _job_facts(connection: Connection, services: Services, job: JobId, asker: Asker) -> JobFacts:
    now = services.store.now(connection)
    view = job_view(connection, services.tasks, job, asker)
    known = services.tasks.get(connection, job.task)
    bucket = bucket_of(known.spec, known.owner, view["needs"]["memory_mib"])
    before, alike = explain_facts.turn(connection, job)
    seen_at = explain_facts.seen_at(connection, view["pilot"])
    queues = []
    if view["word"] == "waiting":
        for name, one in services.catalog.queues.items():
            found = queue_view(connection, one, now)
            result = match(bucket, one.config, one.mark(now))
            lane = next((lane for lane in found["lanes"] if lane["lane"] == result.lane), None)
            why = lane["decision"]["why"] if lane and lane["decision"] else ""
            queues.append(QueueFacts(name, result, lane["workers"] if lane else {}, found["harvester"], why))
    return JobFacts(
        now=now,
        view=view,
        task=task_view(connection, job.task, asker),
        queues=queues,
        before=before,
        alike=alike,
        silent_s=None if seen_at is None else now - seen_at,
        retries=known.spec.retries,
    )
