"""Small questions that only `explain` asks."""

from sqlalchemy import Connection, text

from barnstorm.model.ids import JobId

_BUCKET = text("SELECT bucket_id FROM jobs WHERE task_id = :task AND idx = :idx")
_BEFORE = text("SELECT count(*) FROM jobs WHERE bucket_id = :bucket AND (task_id, idx) < (:task, :idx)")
_ALIKE = text("SELECT waiting FROM buckets WHERE id = :bucket")
_SEEN = text("SELECT seen_at FROM pilots WHERE id = :id AND ended_at IS NULL")
_LIVE = text(
    "SELECT idx FROM jobs WHERE task_id = :task AND state NOT IN ('finished', 'failed', 'cancelled',"
    " 'closed') ORDER BY idx LIMIT 1"
)
_BAD = text(
    "SELECT idx FROM jobs WHERE task_id = :task AND state IN ('failed', 'cancelled', 'closed') ORDER BY idx LIMIT 1"
)


def turn(connection: Connection, job: JobId) -> tuple[int, int]:
    """How many jobs with equal needs are before this one, and how many there are; (0, 0) for one that cannot be
    leased.
    """
    bucket = connection.execute(_BUCKET, {"task": job.task, "idx": job.index}).scalar()
    if bucket is None:
        return 0, 0
    before = connection.execute(_BEFORE, {"bucket": bucket, "task": job.task, "idx": job.index}).scalar_one()
    return int(before), int(connection.execute(_ALIKE, {"bucket": bucket}).scalar_one())


def seen_at(connection: Connection, pilot: str | None) -> float | None:
    """When a live pilot was last heard."""
    return connection.execute(_SEEN, {"id": int(pilot[1:])}).scalar() if pilot else None


def telling_job(connection: Connection, task: int) -> int:
    """The job that tells most of its task: the first that has not ended, else the first that did not end well, else
    0.
    """
    for statement in (_LIVE, _BAD):
        found = connection.execute(statement, {"task": task}).scalar()
        if found is not None:
            return int(found)
    return 0
