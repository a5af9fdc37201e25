"""How screens say things: states as five words, times as ages, numbers with commas."""

import time
from typing import Any, Optional

from ..model.states import JOB_WORDS

ORDER = ("waiting", "starting", "running", "finished", "failed", "cancelled", "closed")
TASK_WORDS = {
    "registered": "waiting",
    "paused": "paused",
    "exhausted": "exhausted",
    "finished": "finished",
    "subfinished": "failed",
    "failed": "failed",
    "broken": "failed",
    "cancelled": "cancelled",
}
STYLES = {
    "waiting": "dim",
    "starting": "cyan",
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "cancelled": "yellow",
    "closed": "yellow",
    "paused": "yellow",
    "exhausted": "yellow",
    "online": "green",
    "brokeroff": "yellow",
    "test": "yellow",
    "draining": "yellow",
    "offline": "red",
    "retired": "dim",
    "lost": "red",
    "gone": "dim",
    "idle": "green",
    "busy": "blue",
}

Counts = dict[str, int]


def by_word(counts: Optional[Counts]) -> Counts:
    """Counts by job state as counts by word, in the order of a job's life."""
    found: Counts = {}
    for state, count in (counts or {}).items():
        word = "starting" if state == "leased" else JOB_WORDS.get(state, state)
        found[word] = found.get(word, 0) + count
    rest = [word for word in found if word not in ORDER]
    return {word: found[word] for word in [*ORDER, *rest] if found.get(word)}


def ended(counts: Optional[Counts]) -> int:
    """How many jobs have ended, well or not."""
    words = by_word(counts)
    return sum(words.get(word, 0) for word in ("finished", "failed", "cancelled", "closed"))


def task_word(task: dict[str, Any]) -> str:
    """The word for a task; of one that goes on, what its jobs do."""
    state = str(task.get("state", ""))
    if state in TASK_WORDS:
        return TASK_WORDS[state]
    words = by_word(task.get("counts"))
    if words.get("running") or ended(task.get("counts")):
        return "running"
    return "starting" if words.get("starting") else "waiting"


def job_word(job: dict[str, Any]) -> str:
    return str(job.get("word") or JOB_WORDS.get(str(job.get("state")), job.get("state", "")))


def counted(counts: Optional[Counts]) -> str:
    """`3 waiting · 2 running · 995 finished`."""
    return " · ".join(f"{count:,} {word}" for word, count in by_word(counts).items()) or "none"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: Optional[float]) -> str:
    """`0.4 s`, `12 s`, `41 min`, `9 h 02 min`, `3 d 4 h`."""
    if seconds is None:
        return ""
    if seconds < 0:
        seconds = 0
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def ago(at: Optional[float], now: Optional[float] = None) -> str:
    """How long ago an epoch time was, without the word."""
    if at is None:
        return ""
    age = (time.time() if now is None else now) - at
    return f"{max(0, int(age))} s" if age < 120 else duration(age)


def clock(at: Optional[float], now: Optional[float] = None) -> str:
    """An epoch time in this machine's zone: `14:03:12`, with its date where it was on another day."""
    if at is None:
        return ""
    moment, today = time.localtime(at), time.localtime(now)
    if moment[:3] == today[:3]:
        return time.strftime("%H:%M:%S", moment)
    return time.strftime("%d %b %H:%M" if moment[0] == today[0] else "%d %b %Y %H:%M", moment)


def mib(value: Optional[float]) -> str:
    return "" if value is None else f"{value:,.0f} MiB"


def size(octets: Optional[int]) -> str:
    """`0 B`, `12.3 kB`, `4.0 MB`: files, in powers of ten."""
    if octets is None:
        return ""
    value = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def needs_text(needs: Optional[dict[str, Any]]) -> str:
    """A shape as on the screens: `1 core · 2,000 MiB · 1 h · 1,000 MiB disk · tags cvmfs`. Absent: its default."""
    from ..model.shape import Shape

    asked = needs or {}
    plain = Shape()
    cores, gpus = int(asked.get("cores", plain.cores)), int(asked.get("gpus", plain.gpus))
    parts = [
        plural(cores, "core"),
        mib(asked.get("memory_mib", plain.memory_mib)),
        span(int(asked.get("walltime_s", plain.walltime_s))),
        mib(asked.get("disk_mib", plain.disk_mib)) + " disk",
    ]
    if gpus:
        parts.append(plural(gpus, "GPU"))
    if asked.get("arch"):
        parts.append(str(asked["arch"]))
    if asked.get("tags"):
        parts.append("tags " + ", ".join(asked["tags"]))
    return " · ".join(parts)


def span(seconds: int) -> str:
    """A time that was asked for, in its largest whole unit: `4 h`, `90 min`, `45 s`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds % length == 0 and seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds:,} s"
