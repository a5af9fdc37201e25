"""Which queues a bucket may run at, and the rule and numbers that exclude each other one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from barnstorm.model.marks import Mark, new_workers
from barnstorm.model.queue import QueueConfig, lane_for
from barnstorm.model.shape import DIMENSIONS

from .buckets import Bucket

_LAST = datetime.max.replace(tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class MatchResult:
    """Whether a bucket fits a queue: the lane it goes through, or every reason why not, the first one the
    weightiest.
    """

    fits: bool
    lane: str = ""
    reasons: tuple[str, ...] = field(default=())


def match(bucket: Bucket, queue: QueueConfig, mark: Mark) -> MatchResult:
    """Match a bucket's needs with a queue's description and status."""
    reasons = [
        *_status(bucket, queue.name, mark),
        *_wishes(bucket, queue),
        *_shape(bucket, queue),
        *_marks(bucket, queue),
    ]
    lane = lane_for(queue, bucket.shape)
    if lane is None:
        reasons.append("no lane takes this shape")
    if reasons:
        return MatchResult(False, "", tuple(reasons))
    assert lane is not None
    return MatchResult(True, lane.name)


def _status(bucket: Bucket, queue: str, mark: Mark) -> list[str]:
    takes = new_workers(mark.status)
    if takes == "all" or (takes == "named" and queue in bucket.queues) or (takes == "test" and bucket.test):
        return []
    end = mark.until or 0.0  # beyond the calendar it is as good as none
    until = f" until {datetime.fromtimestamp(end, UTC):%d %b %H:%M} UTC" if 0 < end < _LAST else ""
    who = f" by {mark.who}" if mark.who else ""
    why = f' ("{mark.why}")' if mark.why else ""
    return [f"{mark.status}{until}{who}{why}"]


def _wishes(bucket: Bucket, queue: QueueConfig) -> list[str]:
    reasons = []
    if bucket.queues and queue.name not in bucket.queues:
        reasons.append(f"the task keeps to queue {' or '.join(bucket.queues)}")
    if bucket.sites and queue.site not in bucket.sites:
        reasons.append(f"the task keeps to site {' or '.join(bucket.sites)}")
    return reasons


def _shape(bucket: Bucket, queue: QueueConfig) -> list[str]:
    reasons = []
    for name in DIMENSIONS:
        bounds, needed = getattr(queue.accepts, name), getattr(bucket.shape, name)
        if bounds is None:
            if name == "gpus" and needed > 0:
                reasons.append(f"gpus {needed} > 0")
            continue
        why = bounds.refuses(needed)
        # A lower bound on GPUs is for queues that want only GPU jobs; for the other dimensions both ends count.
        if why:
            reasons.append(f"{name} {why}")
    return reasons


def _marks(bucket: Bucket, queue: QueueConfig) -> list[str]:
    accepts = queue.accepts
    reasons = [f"tag {tag} is missing" for tag in bucket.tags if tag not in accepts.tags]
    if bucket.arch and accepts.arch and bucket.arch not in accepts.arch:
        reasons.append(f"architecture {bucket.arch} is not {' or '.join(accepts.arch)}")
    if accepts.groups and bucket.group not in accepts.groups:
        reasons.append(f"takes only group {' or '.join(accepts.groups)}")
    return reasons
