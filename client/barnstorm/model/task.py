"""A task as a user submits it: a payload template, what it needs, and the collection it is applied to."""

from dataclasses import dataclass
from typing import Optional

from .base import Spec, field
from .collection import MAX_JOBS, Collection, FileIn, Files, file_name, length, names
from .ids import MAX_ID, InvalidId, nth, spans, total
from .payload import Payload, ScriptPayload
from .shape import Needs
from .template import ALWAYS, UnknownPlaceholder, check

MAX_TEXT = 128 * 1024
LABEL_KEY = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}"


@dataclass
class FileOut(Spec):
    """An output file: kept when the job ends well, and visible only then."""

    name: str = field(max_length=1024, doc="path below the work directory; placeholders are filled")
    optional: bool = field(False, doc="its absence is no failure")


@dataclass
class TaskSpec(Spec):
    """One step of work. Everything but the payload may be left out."""

    payload: Payload
    name: str = field("", max_length=200)
    over: Optional[Collection] = field(None, doc="the input collection: one job per content; none: one job")
    only: Optional[str] = field(None, max_length=1_000_000, doc="indices of the collection that become jobs, as ranges")
    needs: Needs = field(factory=Needs)
    env: dict[str, str] = field(factory=dict)
    inputs: list[FileIn] = field(factory=list)
    outputs: list[FileOut] = field(factory=list)
    queues: list[str] = field(factory=list, doc="run only at these queues; empty: any")
    sites: list[str] = field(factory=list, doc="run only at these sites; empty: any")
    priority: int = field(0, ge=-1000, le=1000, doc="higher first, within an owner's share")
    labels: dict[str, str] = field(factory=dict)
    group: str = field("", max_length=100, doc="who owns it together; one of the owner's groups")
    share: str = field("", max_length=200)
    retries: int = field(
        0, ge=0, le=100, doc="further tries after a failure of the payload itself; faults of sites cost none"
    )
    after: list[int] = field(factory=list, doc="task ids that must end well before any job of this one starts")


class InvalidSpec(ValueError):
    """A document that no rule can mend: says which field, what stood there, and what is allowed."""

    def __init__(self, field: str, value: object, message: str, allowed: object = None) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.value, self.message, self.allowed = field, value, message, allowed


def check_task(spec: TaskSpec) -> None:
    """The rules that span fields. Raises InvalidSpec naming the field."""
    _check_collection(spec)
    known = [*ALWAYS, *names(spec.over)]
    texts = {"payload.args" if isinstance(spec.payload, ScriptPayload) else "payload.argv": _words(spec)}
    texts.update({f"env.{key}": [value] for key, value in spec.env.items()})
    texts.update({f"outputs[{n}].name": [out.name] for n, out in enumerate(spec.outputs)})
    texts.update({f"inputs[{n}].name": [one.name] for n, one in enumerate(spec.inputs)})
    for where, words in texts.items():
        for word in words:
            try:
                check(word, known)
            except UnknownPlaceholder as error:
                raise InvalidSpec(where, word[:200], str(error), error.known) from None
    _check_texts(spec)
    for n, out in enumerate(spec.outputs):
        check_path(f"outputs[{n}].name", out.name)
    files = list(spec.inputs) + (spec.over.files if isinstance(spec.over, Files) else [])
    for n, one in enumerate(files):
        if not one.source.startswith("task:"):
            check_path(f"inputs[{n}].name", file_name(one))
    for where, tasks in (("after", spec.after), ("inputs", input_tasks(spec))):
        if any(not 1 <= one <= MAX_ID for one in tasks):
            raise InvalidSpec(where, str(list(tasks))[:200], "task ids are positive numbers below 2^63")


def jobs_of(spec: TaskSpec) -> int:
    """How many jobs a task makes."""
    return total(spec.only) if spec.only is not None else length(spec.over)


def content_of(spec: TaskSpec, index: int) -> int:
    """Which content of the collection job `index` is about (they differ where `only` picks some)."""
    return index if spec.only is None else nth(spec.only, index)


def input_tasks(spec: TaskSpec) -> set[int]:
    """The tasks whose outputs are inputs of this one."""
    return {int(source[5:].partition("/")[0]) for source in _sources(spec) if source.startswith("task:")}


def input_blobs(spec: TaskSpec) -> set[str]:
    """The hashes of the blobs that are inputs of this one."""
    return {source[5:] for source in _sources(spec) if source.startswith("blob:")}


def _sources(spec: TaskSpec) -> list[str]:
    return [one.source for one in spec.inputs + (spec.over.files if isinstance(spec.over, Files) else [])]


def check_path(where: str, path: str) -> None:
    """Raise InvalidSpec unless `path` stays below the work directory."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or "" in parts[:-1] or "\0" in path or "\n" in path:
        raise InvalidSpec(where, path, "must be a relative path that stays below the work directory")


def _words(spec: TaskSpec) -> list[str]:
    return spec.payload.args if isinstance(spec.payload, ScriptPayload) else spec.payload.argv


def _check_collection(spec: TaskSpec) -> None:
    try:
        contents = length(spec.over)
    except InvalidId as error:
        raise InvalidSpec("over.ranges", error.text[:200], str(error)) from None
    if contents < 1:
        raise InvalidSpec("over", contents, "the collection is empty: a task has at least one job")
    if contents > MAX_JOBS:
        raise InvalidSpec("over", contents, f"a task has at most {MAX_JOBS:,} jobs", MAX_JOBS)
    if spec.only is not None:
        _check_only(spec.only, contents)
    if getattr(spec.over, "kind", "") == "rows":
        columns = spec.over.columns  # type: ignore[union-attr]
        for n, row in enumerate(spec.over.rows):  # type: ignore[union-attr]
            if len(row) != len(columns):
                raise InvalidSpec(f"over.rows[{n}]", row, f"has {len(row)} values for {len(columns)} columns")
        if len(set(columns)) < len(columns):
            raise InvalidSpec("over.columns", columns, "names a column twice")
        for column in columns:
            if column in ALWAYS or not column.replace("_", "a").isalnum() or not column[:1].islower():
                raise InvalidSpec("over.columns", column, "a column is a lower-case name, and not task, index or job")


def _check_only(only: str, contents: int) -> None:
    try:
        picked = spans(only)
    except InvalidId as error:
        raise InvalidSpec("only", only[:200], str(error)) from None
    if any(span[-1] >= contents for span in picked):
        raise InvalidSpec("only", only[:200], f"the collection has {contents:,} contents, numbered from 0")
    if total(only) > contents:
        raise InvalidSpec("only", only[:200], "names a content twice")


def _check_texts(spec: TaskSpec) -> None:
    words = _words(spec)
    if not isinstance(spec.payload, ScriptPayload) and (not words or not words[0]):
        raise InvalidSpec("payload.argv", words, "names no program")
    if any("\0" in word for word in words):
        raise InvalidSpec("payload", "\\0", "an argument holds a NUL byte, which no program can be given")
    if sum(len(word.encode()) for word in words) > MAX_TEXT:
        raise InvalidSpec("payload", "…", f"arguments are over {MAX_TEXT:,} bytes; put them in a file and use --input")
    if sum(len(key.encode()) + len(value.encode()) for key, value in spec.env.items()) > MAX_TEXT:
        raise InvalidSpec("env", "…", f"the environment is over {MAX_TEXT:,} bytes; put it in a file and use --input")
    for key, value in spec.env.items():
        if not key or "=" in key or "\0" in key + value:
            raise InvalidSpec("env", key, "a variable's name is not empty and holds no '=' or NUL")
        if key.startswith("BARNSTORM_"):
            raise InvalidSpec("env", key, "names that begin with BARNSTORM_ are set by the pilot")
    _check_labels(spec.labels)


def _check_labels(labels: dict[str, str]) -> None:
    import re

    for key, value in labels.items():
        if not re.fullmatch(LABEL_KEY, key):
            raise InvalidSpec("labels", key, "a label's key is up to 63 letters, digits and . _ / -")
        if len(value) > 200 or "\n" in value:
            raise InvalidSpec(f"labels.{key}", value[:200], "a label's value is one line of up to 200 characters")
