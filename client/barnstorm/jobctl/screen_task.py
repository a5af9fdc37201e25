"""The screen of a task."""

import shlex
from typing import Any, Optional

from .layout import bold, labelled, pairs_text, styled
from .tables import printable
from .words import ago, by_word, clock, counted, duration, ended, needs_text, plural, task_word

View = dict[str, Any]


def lines(_noun: str, _name: str, task: View) -> list[str]:
    """Head, counts, what it runs over and asks for, where to look further."""
    word = task_word(task)
    title = printable(str(task.get("name") or ""))
    group = f" ({task['group']})" if task.get("group") else ""
    head = (
        f"{bold(str(task['id']))}  {title}".rstrip()
        + f"   {task.get('owner', '')}{group}   {styled(word.upper(), word)}"
    )
    spec = task.get("spec") or {}
    return [
        head,
        *labelled(
            [
                (
                    "State",
                    f"{task['state']} · {ended(task.get('counts')):,} of {plural(int(task['jobs']), 'job')} ended",
                ),
                ("Jobs", counted(task.get("counts"))),
                ("Reason", task.get("reason")),
                ("Times", _times(task)),
                ("Waits for", ", ".join(f"task {one}" for one in task.get("waits_for") or [])),
                ("Runs", _payload(spec.get("payload"))),
                ("Over", _over(spec.get("over"))),
                ("Needs", needs_text(spec.get("needs")) if spec else None),
                ("Where", _where(spec)),
                ("Env", pairs_text(spec.get("env"))),
                ("Inputs", _files(spec.get("inputs"))),
                ("Outputs", _outputs(spec.get("outputs"))),
                ("Labels", pairs_text(task.get("labels"))),
                ("Priority", str(task["priority"]) if task.get("priority") else None),
                ("Retries", str(spec["retries"]) if spec.get("retries") else None),
                ("Retry of", f"task {task['retry_of']}" if task.get("retry_of") else None),
            ]
        ),
        "",
        f"more: {_more(task)}",
    ]


def _times(task: View) -> str:
    created, done = task.get("created_at"), task.get("ended_at")
    text = f"accepted {clock(created)}"
    if done is not None and created is not None:
        return f"{text} · ended {clock(done)} · took {duration(done - created)}"
    return f"{text}, {ago(created)} ago"


def _more(task: View) -> str:
    words, one = by_word(task.get("counts")), str(task["id"])
    found = [f"jobctl job ls {one}" + (" --state failed" if words.get("failed") else "")]
    if words.get("waiting") or words.get("failed"):
        found.append(f"jobctl explain {one}")
    if int(task["jobs"]) == 1:
        found.append(f"jobctl logs {one}")
    if (task.get("spec") or {}).get("outputs") and words.get("finished"):
        found.append(f"jobctl get {one} -d out")
    return "   ".join(found)


def _payload(payload: Optional[View]) -> Optional[str]:
    if not payload:
        return None
    if payload.get("kind") == "script":
        text = " ".join([f"script {payload.get('name', 'script')}", *map(shlex.quote, payload.get("args") or [])])
    else:
        text = " ".join(map(shlex.quote, payload.get("argv") or []))
    return printable(text if len(text) <= 200 else text[:199] + "…")


def _over(over: Optional[View]) -> Optional[str]:
    if not over:
        return None
    kind = over.get("kind")
    if kind == "numbers":
        return f"numbers {over['ranges'][:80]}"
    if kind == "seeds":
        return f"{over['count']:,} seeds" + (f", base {over['base']}" if over.get("base") else "")
    if kind == "rows":
        return f"{plural(len(over['rows']), 'row')} of {', '.join(over['columns'])}"
    return plural(len(over.get("files") or []), "file")


def _where(spec: View) -> Optional[str]:
    parts = [
        f"{noun} {', '.join(spec[key])}" for key, noun in (("queues", "queue"), ("sites", "site")) if spec.get(key)
    ]
    return "only " + " · ".join(parts) if parts else None


def _files(files: Optional[list[View]]) -> str:
    texts = []
    for one in files or []:
        source = str(one["source"])
        texts.append(str(one.get("name") or source) if source.startswith("blob:") else source)
    return _listed(texts)


def _outputs(files: Optional[list[View]]) -> str:
    return _listed([one["name"] + ("?" if one.get("optional") else "") for one in files or []])


def _listed(texts: list[str], most: int = 8) -> str:
    more = f" … {len(texts) - most} more" if len(texts) > most else ""
    return printable(", ".join(texts[:most])) + more
