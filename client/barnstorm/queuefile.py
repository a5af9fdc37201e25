"""Queue files: read, merged with the file they extend, and checked, every problem with its file and line.

A file named `base-….json` is only there to be extended. `extends` names another file beside it, without `.json`; one
level.
Objects are merged field by field, everything else (lists too) is replaced.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Union

from .jsonfile import BadFile, Document, Problem, Where, dotted, read
from .model.queue import QueueConfig, check_queue
from .model.task import InvalidSpec

BASE = "base-"


@dataclass
class QueueFile:
    """A good queue file: its description, and of every path the (file, line) that says it."""

    path: Path
    document: dict[str, Any]
    config: QueueConfig
    origins: dict[Where, tuple[str, int]]


def load_queue(file: Union[str, Path]) -> QueueFile:
    """Read and check one queue file with what it extends. Raises BadFile with all its problems."""
    path = Path(file)
    merged = _merged(path)
    problems = merged.problems + _check(merged, is_base(path))
    if problems:
        raise BadFile(sorted(problems, key=lambda one: (one.file, one.line)))
    document = merged.value if not is_base(path) else {"name": path.stem, **merged.value}
    return QueueFile(path, document, _adapter().validate_python(document), merged.origins)


def load_queues(files: Iterable[Union[str, Path]]) -> tuple[list[QueueFile], list[Problem]]:
    """Read many files: the good ones and the problems of the others. Bases are checked but are no queues."""
    good: list[QueueFile] = []
    problems: list[Problem] = []
    named: dict[str, Path] = {}
    for file in files:
        try:
            one = load_queue(file)
        except BadFile as error:
            problems += [problem for problem in error.problems if problem not in problems]
            continue
        if is_base(one.path):
            continue
        first = named.setdefault(one.config.name, one.path)
        if first != one.path:
            line = one.origins[("name",)][1]
            problems.append(Problem(str(file), line, "name", f"is the queue of {first} too", one.config.name))
        else:
            good.append(one)
    return good, problems


def queue_files(folder: Union[str, Path]) -> list[Path]:
    """The queue files of a folder, bases left out, by name."""
    return sorted(path for path in Path(folder).glob("*.json") if not is_base(path))


def is_base(path: Path) -> bool:
    return path.name.startswith(BASE)


def schema() -> dict[str, Any]:
    """The JSON Schema of queue files, for editors."""
    made = _adapter().json_schema(by_alias=True)
    made["title"] = "A Barnstorm queue"
    made["description"] = "One queue: which jobs it accepts, what its workers look like, how they are submitted."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


@dataclass
class _Merged:
    """A document with what it extends laid below it."""

    top: Document
    value: Any
    origins: dict[Where, tuple[str, int]]
    problems: list[Problem]

    def origin(self, where: Where) -> tuple[str, int]:
        while where and where not in self.origins:
            where = where[:-1]
        return self.origins.get(where, (self.top.file, 1))


def _merged(path: Path) -> _Merged:
    top = read(path)
    if not isinstance(top.value, dict):
        raise BadFile([Problem(top.file, top.line(()), "", "a queue file holds one JSON object")])
    origins = {where: (top.file, line) for where, line in top.lines.items()}
    parent = top.value.get("extends")
    if not isinstance(parent, str) or not parent:
        return _Merged(top, top.value, origins, list(top.problems))
    base = _base(path, top, parent)
    inherited = {key: value for key, value in base.value.items() if key not in ("$schema", "name", "note", "extends")}
    made = _Merged(top, {}, {(): origins[()]}, [*top.problems, *base.problems])
    made.value = _overlay(inherited, top.value, (), made.origins, base, top)
    return made


def _base(path: Path, top: Document, parent: str) -> Document:
    """The file that is extended. Raises BadFile at the line that names it."""
    line = top.line(("extends",))
    if "/" in parent or "\\" in parent:
        raise BadFile([Problem(top.file, line, "extends", "names a file beside this one, without its folder", parent)])
    file = path.with_name(parent if parent.endswith(".json") else f"{parent}.json")
    if not file.is_file():
        beside = sorted(one.stem for one in path.parent.glob("*.json") if one.name != path.name)
        raise BadFile([Problem(top.file, line, "extends", f"there is no file {file}", parent, beside or None)])
    base = read(file)
    if not isinstance(base.value, dict):
        raise BadFile([Problem(base.file, base.line(()), "", "a queue file holds one JSON object")])
    if base.value.get("extends"):
        message = f"{file.name} extends another file itself; only one level is allowed"
        raise BadFile([Problem(top.file, line, "extends", message, parent)])
    return base


def _overlay(
    low: dict[str, Any],
    high: dict[str, Any],
    where: Where,
    origins: dict[Where, tuple[str, int]],
    base: Document,
    top: Document,
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key in [*low, *(key for key in high if key not in low)]:
        path = (*where, key)
        if key in low and key in high and isinstance(low[key], dict) and isinstance(high[key], dict):
            origins[path] = (top.file, top.line(path))
            made[key] = _overlay(low[key], high[key], path, origins, base, top)
            continue
        source, value = (top, high[key]) if key in high else (base, low[key])
        made[key] = value
        for inner, line in source.lines.items():
            if inner[: len(path)] == path:
                origins[inner] = (source.file, line)
    return made


@lru_cache(maxsize=1)
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(QueueConfig)


def _check(merged: _Merged, base: bool) -> list[Problem]:
    """What the model, and then the rules that span fields, say of a document."""
    import json

    from pydantic import ValidationError

    from .modelcheck import problems_of

    document = {"name": "base", **merged.value} if base else merged.value
    try:
        config = _adapter().validate_json(json.dumps(document), strict=True)
        check_queue(config)
    except ValidationError as error:
        found = problems_of(error, QueueConfig, document)
        return [
            Problem(*merged.origin(one.where), dotted(one.where), one.message, one.value, one.allowed) for one in found
        ]
    except InvalidSpec as error:
        where = where_of(error.field)
        return [Problem(*merged.origin(where), error.field, error.message, error.value, error.allowed)]
    return []


def where_of(text: str) -> Where:
    """`lanes[2].if` as a path."""
    found: list[Union[str, int]] = []
    for part in text.replace("[", ".[").split("."):
        found.append(int(part[1:-1]) if part.startswith("[") else part)
    return tuple(found)
