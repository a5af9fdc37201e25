"""Input collections a task is applied to. Content i is computed from these few lines: no row exists for it."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

from .base import Spec, field
from .ids import nth, total

MAX_JOBS = 10_000_000


@dataclass
class Numbers(Spec):
    """Sequence numbers: `{i}` takes each number of `ranges`, such as `0-999` or `1-9,20,30-90:10`."""

    ranges: str = field(max_length=100_000)
    kind: Literal["numbers"] = "numbers"


@dataclass
class Rows(Spec):
    """A parameter list: one job a row, each column a placeholder."""

    columns: list[str]
    rows: list[list[Union[str, int, float, bool]]]
    kind: Literal["rows"] = "rows"


@dataclass
class Seeds(Spec):
    """`count` random seeds: `{seed}` is a number below 2^31 that depends only on `base` and the index."""

    count: int = field(ge=1, le=MAX_JOBS)
    base: int = field(0, ge=0, le=2**63 - 1)
    kind: Literal["seeds"] = "seeds"


@dataclass
class FileIn(Spec):
    """An input file. `source` is one of

    `blob:<sha256>` uploaded before; `site:/path` already there on the node; `task:48213` or `task:48213/name`
    the outputs of that task's finished jobs (all, or those of that name), laid down as `48213/<index>/<name>`.
    """

    source: str = field(max_length=4096, pattern=r"^(blob:[0-9a-f]{64}|site:/.+|task:[1-9][0-9]*(/.+)?)$")
    name: str = field("", max_length=1024, doc="path below the work directory; empty: the source's own name")
    executable: bool = False


@dataclass
class Files(Spec):
    """One job a file: `{file}` is the name under which that input lies in the work directory."""

    files: list[FileIn]
    kind: Literal["files"] = "files"


Collection = Union[Numbers, Rows, Seeds, Files]


def length(collection: Optional[Collection]) -> int:
    """How many contents, hence jobs, a collection has; no collection is one job."""
    if collection is None:
        return 1
    if isinstance(collection, Numbers):
        return total(collection.ranges)
    if isinstance(collection, Rows):
        return len(collection.rows)
    if isinstance(collection, Seeds):
        return collection.count
    return len(collection.files)


def names(collection: Optional[Collection]) -> list[str]:
    """The placeholders that a collection gives."""
    if isinstance(collection, Rows):
        return list(collection.columns)
    return {Numbers: ["i"], Seeds: ["seed"], Files: ["file"], type(None): []}[type(collection)]


def values(collection: Optional[Collection], index: int) -> dict[str, Any]:
    """Content `index` of a collection, as values of its placeholders. Raises IndexError outside 0..length-1."""
    if index < 0 or index >= length(collection):
        raise IndexError(index)
    if isinstance(collection, Numbers):
        return {"i": nth(collection.ranges, index)}
    if isinstance(collection, Rows):
        return dict(zip(collection.columns, collection.rows[index]))
    if isinstance(collection, Seeds):
        digest = hashlib.sha256(f"{collection.base}:{index}".encode()).digest()
        return {"seed": int.from_bytes(digest[:4], "big") >> 1}
    if isinstance(collection, Files):
        return {"file": file_name(collection.files[index])}
    return {}


def file_name(file: FileIn) -> str:
    """Where an input lies below the work directory: its name, or what its source suggests."""
    if file.name:
        return file.name
    scheme, _, rest = file.source.partition(":")
    return rest[:16] if scheme == "blob" else rest.rsplit("/", 1)[-1]
