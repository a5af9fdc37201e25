"""Why a job is where it is: facts in, sentences out. No I/O, so each sentence has its test."""

from dataclasses import dataclass, field
from typing import Any

from barnstorm.model.faults import FAULTS
from barnstorm.model.shape import Shape

from .matching import MatchResult


@dataclass(frozen=True)
class QueueFacts:
    """What is known of one queue when a job is explained."""

    name: str
    match: MatchResult
    workers: dict[str, int] = field(default_factory=dict)
    harvester: str | None = None
    decision: str = ""


@dataclass(frozen=True)
class JobFacts:
    """What is known of a job when it is explained. Times are epoch seconds; `now` is the server's."""

    now: float
    view: dict[str, Any]
    task: dict[str, Any]
    queues: list[QueueFacts] = field(default_factory=list)
    before: int = 0
    alike: int = 0
    silent_s: float | None = None
    retries: int = 0


def explain_job(facts: JobFacts) -> dict[str, Any]:
    """The explanation of one job, as the protocol says."""
    view = facts.view
    word = view["word"]
    tell = {"waiting": _waiting, "starting": _at_work, "running": _at_work}.get(word, _ended)
    head, advice = tell(facts)
    return {
        "id": view["id"],
        "state": view["state"],
        "word": word,
        "name": view["name"],
        "task": view["task"],
        "owner": view["owner"],
        "attempts": view["attempts"],
        "head": head,
        "needs": {**view["needs"], "tags": facts.task["spec"].get("needs", {}).get("tags", []), "alike": facts.alike},
        "facts": _facts(facts),
        "queues": [_queue(one) for one in facts.queues] if word == "waiting" else [],
        "history": _history(facts),
        "advice": advice,
    }


def needs_text(needs: Shape) -> str:
    """A shape as people read it."""
    gpus = f" · {needs.gpus} GPUs" if needs.gpus else ""
    cores = "1 core" if needs.cores == 1 else f"{needs.cores} cores"
    return f"{cores} · {needs.memory_mib:,} MiB · {span(needs.walltime_s)} · {needs.disk_mib:,} MiB disk{gpus}"


def span(seconds: float) -> str:
    """A time span in two units at most: `41 min`, `9 h 02 min`, `3 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(0, whole)} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60:02d} s" if whole < 600 and whole % 60 else "")
    if whole < 86_400:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60:02d} min" if whole % 3600 >= 60 else "")
    return f"{whole // 86_400} d" + (f" {whole % 86_400 // 3600} h" if whole % 86_400 >= 3600 else "")


def _waiting(facts: JobFacts) -> tuple[str, list[dict[str, str]]]:
    view, task = facts.view, facts.task
    waited = f"WAITING {span(facts.now - view['created_at'])}"
    if task.get("waits_for"):
        ids = ", ".join(str(one) for one in task["waits_for"])
        return f"{waited}: for task {ids} to end well.", [
            _advice("see how far it is", f"jobctl show {task['waits_for'][0]}")
        ]
    if view["state"] == "held":
        return f"{waited}: held. {view['reason'] or ''}".rstrip(), [
            _advice("let it go", f"jobctl release {view['id']}")
        ]
    if view["not_before"]:
        return f"{waited}: tried again in {span(view['not_before'] - facts.now)} ({view['reason']}).", []
    fits = [one for one in facts.queues if one.match.fits]
    if not facts.queues:
        return f"{waited}: there is no queue yet.", [_advice("describe one", "jobctl queue apply FILE")]
    if not fits:
        return f"{waited}: fits none of {len(facts.queues)} queues.", []
    if len(fits) == 1:
        return f"{waited}: fits one queue, {fits[0].name}: {_why(fits[0])}.", []
    return f"{waited}: fits {len(fits)} of {len(facts.queues)} queues.", []


def _why(queue: QueueFacts) -> str:
    if queue.harvester is None and not queue.workers:
        return "no harvester serves it, so no worker is started"
    if queue.workers.get("running"):
        return "its workers are busy, or about to take it"
    if queue.workers:
        return "a worker is on its way"
    return queue.decision or "its harvester has not decided yet"


def _at_work(facts: JobFacts) -> tuple[str, list[dict[str, str]]]:
    view = facts.view
    since = view["started_at"] or (
        view["attempt_list"][-1]["leased_at"] if view.get("attempt_list") else view["created_at"]
    )
    ran, allowed = span(facts.now - since), span(view["needs"]["walltime_s"])
    head = f"{view['word'].upper()} {ran}, of {allowed}{_place(view, ',')}."
    if facts.silent_s is not None and facts.silent_s > 60:
        head += f" Its pilot {view['pilot']} was last heard {span(facts.silent_s)} ago."
    return head, [
        _advice("follow its output", f"jobctl logs -f {view['id']}"),
        _advice("end it", f"jobctl kill {view['id']}"),
    ]


def _place(view: dict[str, Any], comma: str = "") -> str:
    return f"{comma} on {view['node']} ({view['queue']})" if view["node"] else ""


def _ended(facts: JobFacts) -> tuple[str, list[dict[str, str]]]:
    view = facts.view
    if view["state"] == "finished":
        ran = f" after {span(view['wall_s'])}" if view["wall_s"] is not None else ""
        return f"FINISHED{ran}{_place(view)}, attempt {view['attempts']}.", []
    if view["state"] in ("closed", "cancelled"):
        why = view["reason"] or view["message"]
        head = view["state"].upper() + (f": {why}." if why else ".")
        return head, [_advice("run it again", f"jobctl retry {view['task']}")]
    fault = FAULTS.get(view["fault"] or "exit")
    blame = f", blamed on the {'payload' if fault and fault.blame == 'user' else fault.blame if fault else 'payload'}"
    what = (
        f"exit code {view['exit_code']}"
        if view["exit_code"] not in (None, 0)
        else (fault.meaning if fault else view["fault"])
    )
    asked = facts.retries + 1  # there may have been more: faults of sites cost none
    tries = f"{view['attempts']} of {asked}" if view["attempts"] <= asked else f"{view['attempts']}"
    head = f"FAILED after {tries} attempts: {what}{blame}."
    if view["message"]:
        head += f' "{view["message"][:200]}"'
    advice = [
        _advice("read its log", f"jobctl logs {view['id']}"),
        _advice("run what failed again", f"jobctl retry {view['task']}"),
    ]
    if fault and fault.remedy and "jobctl logs" not in fault.remedy:
        advice.insert(0, _advice(fault.remedy, ""))
    return head, advice


def _facts(facts: JobFacts) -> list[dict[str, str]]:
    view = facts.view
    found = [{"label": "Needs", "text": needs_text(Shape(**view["needs"]))}]
    if view["word"] == "waiting" and facts.alike and not facts.task.get("waits_for"):
        found.append(
            {
                "label": "Turn",
                "text": f"{facts.before:,} of the {facts.alike:,} waiting jobs with these needs are before it",
            }
        )
    if view["peak_memory_mib"] is not None:
        share = 100 * view["peak_memory_mib"] / view["needs"]["memory_mib"]
        found.append(
            {
                "label": "Memory",
                "text": f"{view['peak_memory_mib']:,} of {view['needs']['memory_mib']:,} MiB used ({share:.0f} %)",
            }
        )
    if view["cpu_s"] is not None and view["wall_s"]:
        share = 100 * view["cpu_s"] / (view["wall_s"] * view["needs"]["cores"])
        found.append({"label": "CPU", "text": f"{view['cpu_s']:.1f} s of {view['wall_s']:.1f} s ({share:.0f} %)"})
    return found


def _queue(queue: QueueFacts) -> dict[str, Any]:
    if not queue.match.fits:
        return {"queue": queue.name, "fits": False, "text": "; ".join(queue.match.reasons), "lane": None}
    counts = ", ".join(f"{n} {state}" for state, n in sorted(queue.workers.items())) or "no workers"
    text = f"lane {queue.match.lane}: {counts}"
    return {
        "queue": queue.name,
        "fits": True,
        "text": text + (f"; {queue.decision}" if queue.decision else ""),
        "lane": queue.match.lane,
    }


def _history(facts: JobFacts) -> list[dict[str, Any]]:
    view = facts.view
    told = [{"at": view["created_at"], "text": "accepted"}]
    for one in view.get("attempt_list", []):
        told.append(
            {
                "at": one["leased_at"],
                "text": f"attempt {one['number']} on {one['node']} ({one['worker'] or one['pilot']})",
            }
        )
        if one["ended_at"] is not None:
            why = (
                f": {one['message'] or (FAULTS[one['fault']].meaning if one['fault'] in FAULTS else one['fault'])}"
                if one["fault"]
                else ""
            )
            told.append({"at": one["ended_at"], "text": f"attempt {one['number']} {one['state']}{why}"})
    if view["ended_at"] is not None:
        told.append({"at": view["ended_at"], "text": view["state"]})
    return told


def _advice(text: str, command: str) -> dict[str, str]:
    return {"text": text, "command": command}
