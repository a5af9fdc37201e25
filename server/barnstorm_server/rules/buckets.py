"""Buckets: waiting jobs with equal needs. Matching costs grow with their number, so shapes are rounded up a ladder."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from barnstorm.model.shape import Shape
from barnstorm.model.task import TaskSpec


@dataclass(frozen=True)
class Bucket:
    """What is equal for all jobs of a bucket. `shape` is rounded up, so each of its jobs fits where the bucket fits."""

    shape: Shape
    owner: str
    group: str = ""
    share: str = ""
    priority: int = 0
    tags: tuple[str, ...] = ()
    arch: str | None = None
    queues: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    test: bool = field(default=False)

    def document(self) -> str:
        """Its JSON form: equal buckets have equal documents."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        return hashlib.sha256(self.document().encode()).hexdigest()


def from_document(document: str) -> Bucket:
    """The bucket that `document` gave."""
    values = json.loads(document)
    for name in ("tags", "queues", "sites"):
        values[name] = tuple(values[name])
    return Bucket(shape=Shape(**values.pop("shape")), **values)


def bucket_of(spec: TaskSpec, owner: str, memory_mib: int | None = None) -> Bucket:
    """The bucket that a task's jobs wait in; `memory_mib` is a job's own, where a rule raised it."""
    needs = spec.needs
    shape = Shape(
        cores=needs.cores,
        memory_mib=ladder(memory_mib or needs.memory_mib, 256),
        walltime_s=ladder(needs.walltime_s, 900),
        disk_mib=ladder(needs.disk_mib, 256),
        gpus=needs.gpus,
    )
    return Bucket(
        shape=shape,
        owner=owner,
        group=spec.group,
        share=spec.share,
        priority=spec.priority,
        tags=tuple(sorted(set(needs.tags))),
        arch=needs.arch,
        queues=tuple(sorted(set(spec.queues))),
        sites=tuple(sorted(set(spec.sites))),
        test=spec.labels.get("test") == "true",
    )


def ladder(value: int, step: int) -> int:
    """Round up to the next multiple of `step` or number of two significant digits: numbers people write stay as they
    are, and what is just below one (23:59:59) does not come out above it.
    """
    unit: int = 10 ** max(0, len(str(value)) - 2)
    return min(-(-value // one) * one for one in (unit, step))
