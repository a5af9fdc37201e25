"""The screen of a job, with its attempts."""

from typing import Any, Optional

from ..model.faults import FAULTS
from ..model.states import JOB
from .layout import bold, indented, labelled, pairs_text, styled
from .tables import Column, printable
from .words import ago, clock, duration, job_word, mib, needs_text, plural, size

View = dict[str, Any]


def lines(_noun: str, name: str, job: View) -> list[str]:
    """Head, how it ended, what it asked for and used, its attempts, outputs and logs."""
    word = job_word(job)
    title = printable(str(job.get("name") or ""))
    head = f"{bold(str(job['id']))}  {title}".rstrip()
    head += f"   task {job['task']} · {job.get('owner', '')}   {styled(word.upper(), word)}"
    attempts = job.get("attempt_list") or []
    if "/" in name:
        attempts = [one for one in attempts if str(one.get("attempt")) == name] or attempts
    return [
        head,
        *labelled(
            [
                ("State", f"{job['state']} · {plural(int(job.get('attempts') or 0), 'attempt')}"),
                ("Ended" if job["state"] in JOB.terminal else "Last try", how_it_ended(job)),
                ("Times", _times(job)),
                ("Where", _where(job)),
                ("Values", pairs_text(job.get("values"))),
                ("Needs", needs_text(job.get("needs"))),
                ("Used", _used(job)),
            ]
        ),
        *(["Attempts", *indented(attempts, ATTEMPTS)] if attempts else []),
        *_messages(attempts, job),
        *_outputs(job),
        "",
        f"more: {_more(job, attempts)}",
    ]


def how_it_ended(thing: View) -> Optional[str]:
    """The exit code or signal, the kind of fault, and the message, of a job or an attempt."""
    parts = []
    if thing.get("signal"):
        parts.append(_signal(int(thing["signal"])))
    elif thing.get("exit_code") is not None:
        parts.append(f"exit {thing['exit_code']}")
    fault = FAULTS.get(str(thing.get("fault") or ""))
    if fault is not None and fault.code not in ("exit", "signal"):
        parts.append(fault.meaning)
    if thing.get("message") and thing["message"] != f"exit code {thing.get('exit_code')}":
        parts.append(printable(str(thing["message"])))
    text = ": ".join(parts)
    if fault is not None and fault.remedy:
        text += f"\n→ {fault.remedy.replace('JOB', str(thing.get('id', 'JOB')))}"
    return text or None


def _signal(number: int) -> str:
    import signal

    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _times(job: View) -> str:
    text = f"accepted {clock(job.get('created_at'))}"
    started, done = job.get("started_at"), job.get("ended_at")
    if started is not None:
        text += f" · started {clock(started)}"
    if done is not None:
        text += f" · ended {clock(done)}"
        return text + (f" · ran {duration(done - started)}" if started is not None else "")
    running = started is not None and job["state"] in ("running", "transferring")
    return text + (f" · running for {ago(started)}" if running else f" · {ago(job.get('created_at'))} ago")


def _where(job: View) -> str:
    keys = (("queue", "queue"), ("node", "node"), ("pilot", "pilot"))
    return " · ".join(f"{word} {job[key]}" for key, word in keys if job.get(key))


def _used(job: View) -> str:
    """Memory and CPU beside what was asked."""
    parts = []
    peak, asked = job.get("peak_memory_mib"), (job.get("needs") or {}).get("memory_mib", 2000)
    if peak is not None:
        parts.append(f"memory {peak:,.0f} of {mib(asked)} ({100 * peak / asked:.0f} %)")
    cpu, wall, cores = job.get("cpu_s"), job.get("wall_s"), (job.get("needs") or {}).get("cores", 1)
    if cpu is not None and wall:
        percent = 100 * cpu / (wall * cores)
        parts.append(f"CPU {duration(cpu)} in {duration(wall)} on {plural(cores, 'core')}: {percent:.0f} %")
    return " · ".join(parts)


def _peak(attempt: View) -> str:
    """prmon's largest PSS (RSS where there is none), which it gives in KiB."""
    most = (attempt.get("metrics") or {}).get("Max") or {}
    value = most.get("pss") or most.get("rss")
    return mib(value / 1024) if value else ""


def _ran(attempt: View) -> str:
    started, done = attempt.get("started_at"), attempt.get("ended_at")
    if started is None:
        return ""
    return ago(started) if done is None else duration(done - started)


def _code(attempt: View) -> str:
    if attempt.get("signal"):
        return f"signal {attempt['signal']}"
    return "" if attempt.get("exit_code") is None else f"exit {attempt['exit_code']}"


ATTEMPTS = (
    Column("TRY", lambda one: f"/{one['number']}", right=True),
    Column("STATE", lambda one: one["state"]),
    Column("ENDED", _code),
    Column("FAULT", lambda one: one.get("fault") if one.get("fault") != "exit" else ""),
    Column("QUEUE", lambda one: one.get("queue")),
    Column("NODE", lambda one: one.get("node")),
    Column("WORKER", lambda one: one.get("worker")),
    Column("PILOT", lambda one: one.get("pilot")),
    Column("LEASED", lambda one: clock(one.get("leased_at"))),
    Column("RAN", _ran, right=True),
    Column("MEMORY", _peak, right=True),
    Column("STDOUT", lambda one: size(one.get("stdout_bytes")), right=True),
    Column("STDERR", lambda one: size(one.get("stderr_bytes")), right=True),
)


def _messages(attempts: list[View], job: View) -> list[str]:
    """What earlier attempts said; the last one's message stands above."""
    said = [one for one in attempts if one.get("message") and one["message"] != job.get("message")]
    return [f"  /{one['number']}: {printable(str(one['message']))[:300]}" for one in said]


def _outputs(job: View) -> list[str]:
    found = job.get("outputs") or []
    if not found:
        return []
    return [
        "Outputs",
        *indented(found, (Column("NAME", lambda one: one["name"]), Column("SIZE", lambda one: size(one.get("size"))))),
    ]


def _more(job: View, attempts: list[View]) -> str:
    one = str(job["id"])
    found = (
        [f"jobctl logs {one}" + (" --stderr" if attempts and _only_stderr(attempts[-1]) else "")] if attempts else []
    )
    if job.get("outputs"):
        found.append(f"jobctl get {one} -d out")
    if job_word(job) != "finished":
        found.append(f"jobctl explain {one}")
    return "   ".join(found or [f"jobctl task show {job['task']}"])


def _only_stderr(attempt: View) -> bool:
    return not attempt.get("stdout_bytes") and bool(attempt.get("stderr_bytes"))
