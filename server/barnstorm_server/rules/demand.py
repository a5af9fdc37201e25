"""Demand: each bucket's waiting jobs divided over the queues they fit, so that the parts add up to the whole."""

from collections.abc import Mapping, Sequence

from barnstorm.model.workers import DemandPart

from .buckets import Bucket


def divide(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """`count` jobs over queues in proportion to their weights, by largest remainders: the parts add up to `count`."""
    if not weights:
        return {}
    total = sum(weights.values())
    exact = {name: count * weight / total for name, weight in weights.items()}
    parts = {name: int(share) for name, share in exact.items()}
    left = count - sum(parts.values())
    for name in sorted(exact, key=lambda one: (parts[one] - exact[one], one))[:left]:
        parts[name] += 1
    return parts


def weight(running: int, waiting: int) -> float:
    """How much of new work a queue draws: the more it runs against what it has been given, the more (as PanDA's
    brokerage).
    """
    return (running + 1) / (waiting + 1)


def parts_of(
    shares: Mapping[str, Sequence[tuple[Bucket, str, int]]],
) -> dict[str, list[DemandPart]]:
    """Per queue the demand parts of (bucket, lane, jobs): buckets of one shape, lane and priority are one part."""
    demand: dict[str, list[DemandPart]] = {}
    for queue, entries in shares.items():
        merged: dict[tuple[object, ...], DemandPart] = {}
        for bucket, lane, jobs in entries:
            if jobs < 1:
                continue
            shape = bucket.shape
            named = queue in bucket.queues
            key = (
                lane,
                shape.cores,
                shape.memory_mib,
                shape.walltime_s,
                shape.disk_mib,
                shape.gpus,
                bucket.priority,
                named,
            )
            if key in merged:
                merged[key].jobs += jobs
            else:
                merged[key] = DemandPart(lane, shape, jobs, "waiting jobs", bucket.priority, named)
        demand[queue] = sorted(merged.values(), key=_rank)
    return demand


def _rank(part: DemandPart) -> tuple[object, ...]:
    """The urgent first; and no two parts alike, so that the same demand always looks the same."""
    shape = part.shape
    sizes = (shape.memory_mib, shape.cores, shape.walltime_s, shape.disk_mib, shape.gpus)
    return (-part.priority, part.lane, *sizes, part.named)
