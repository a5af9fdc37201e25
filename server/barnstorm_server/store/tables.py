"""The tables, one for each noun. Times are epoch seconds by the database's clock (PostgreSQL) or the server's (SQLite).

Rows that many transactions share (task, bucket and share counters, the outbox head) are updated last in each
transaction,
summed per group and in id order; the order of this file is that order of writes.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from barnstorm.model.states import ATTEMPT

metadata = MetaData()

# SQLite gives rowids, and so self-made ids, only to plain INTEGER primary keys.
BigId = BigInteger().with_variant(Integer, "sqlite")

# SQLite uses a partial index only for a query with the very same words: all queries for live attempts take these.
LIVE_ATTEMPTS = f"state IN ({', '.join(repr(state) for state in sorted(ATTEMPT.live))})"

jobs = Table(
    "jobs",
    metadata,
    Column("task_id", BigId, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("bucket_id", BigId),  # set while the job can be leased: the hot index holds no other row
    Column("waits", Integer, nullable=False, server_default="0"),  # things it still waits for, beside its task's own
    Column("next_attempt", Integer, nullable=False, server_default="1"),
    Column("spent", SmallInteger, nullable=False, server_default="0"),  # tries that counted against the budget
    Column("free_tries", SmallInteger, nullable=False, server_default="0"),  # tries that did not
    Column("not_before", Float),  # waits until then before it may be leased again
    Column("memory_mib", Integer),  # its own, where a rule raised it above the task's
    Column("exit_code", Integer),
    Column("fault", String(32)),
    Column("message", Text),
    Column("reason", Text),  # why it is held, closed or cancelled
    Column("result", Text),  # a small result, base64
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("peak_mib", Integer),
    Column("cpu_s", Float),
    Index(
        "jobs_hot",
        "bucket_id",
        "task_id",
        "idx",
        sqlite_where=text("bucket_id IS NOT NULL"),
        postgresql_where=text("bucket_id IS NOT NULL"),
    ),
    Index("jobs_by_state", "task_id", "state", "idx"),
    Index(
        "jobs_not_before",
        "not_before",
        sqlite_where=text("not_before IS NOT NULL"),
        postgresql_where=text("not_before IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("task_id", BigId, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("pilot_id", BigId, nullable=False),
    Column("queue", String(100), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("stop", String(500)),  # why its payload is to be killed; the job is over for it already
    Column("unnamed", SmallInteger, nullable=False, server_default="0"),  # heartbeats in a row that did not name it
    Column("cores", Integer, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("leased_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("exit_code", Integer),
    Column("signal", SmallInteger),
    Column("fault", String(32)),
    Column("message", Text),
    Column("metrics", Text),  # prmon's summary, JSON
    Index(
        "attempts_one_live",
        "task_id",
        "idx",
        unique=True,
        sqlite_where=text(LIVE_ATTEMPTS),
        postgresql_where=text(LIVE_ATTEMPTS),
    ),
    Index("attempts_of_pilot", "pilot_id", sqlite_where=text(LIVE_ATTEMPTS), postgresql_where=text(LIVE_ATTEMPTS)),
    sqlite_with_rowid=False,
)

outputs = Table(
    "outputs",
    metadata,
    Column("task_id", BigId, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("name", String(1024), primary_key=True),
    Column("blob", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("owner", String(200), primary_key=True),  # who brought these bytes; the same bytes may have several owners
    Column("size", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

edges = Table(
    "edges",
    metadata,
    # What must end well first: a job, or with index -1 a whole task. Who waits: the same.
    Column("task_id", BigId, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("waiter_task", BigId, primary_key=True, autoincrement=False),
    Column("waiter_idx", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("edges_by_waiter", edges.c.waiter_task)

pilots = Table(
    "pilots",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", String(100), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),
    Column("queue", String(100), nullable=False),
    Column("worker_id", BigId),
    Column("node", String(255), nullable=False),
    Column("version", String(50), nullable=False),
    Column("state", String(16), nullable=False),
    Column("shape", Text, nullable=False),  # JSON
    Column("facts", Text, nullable=False),  # JSON
    Column("checks", Text, nullable=False),  # JSON
    Column("owner", String(200)),  # whom it serves, where its queue isolates nothing
    Column("seen_at", Float, nullable=False),  # the lease clock: one row update for all it holds
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("wish", String(16)),  # drain or exit, wished by a person or the harvester
    Column("why", Text),
    Index("pilots_live", "seen_at", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
    Index("pilots_by_worker", "worker_id"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("queue", String(100), nullable=False),
    Column("harvester", String(100), nullable=False),
    Column("lane", String(100), nullable=False),
    Column("shape", Text, nullable=False),  # JSON
    Column("state", String(16), nullable=False),
    Column("unknown", Boolean, nullable=False, server_default=text("false")),
    Column("batch_id", String(200)),
    Column("node", String(255)),
    Column("exit_code", Integer),
    Column("why", Text),
    Column("message", Text),
    Column("log_tail", Text),
    Column("kill", Text),  # why a person wants it ended
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Index("workers_live", "queue", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
    sqlite_autoincrement=True,
)

harvesters = Table(
    "harvesters",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", String(50), nullable=False),
    Column("host", String(255), nullable=False),
    Column("info", Text, nullable=False),  # JSON: submitters, batch
    Column("seen_at", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("stopped_at", Float),
)

queues = Table(
    "queues",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("config", Text, nullable=False),  # JSON
    Column("version", Integer, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("updated_by", String(200), nullable=False),
    Column("harvester", String(100)),  # who serves it now …
    Column("harvester_until", Float),  # … and until when
)

marks = Table(
    "marks",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", String(100), nullable=False, unique=True),
    Column("queue", String(100), ForeignKey("queues.name"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("who", String(200), nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float),
    Index("marks_of_queue", "queue"),
    sqlite_autoincrement=True,
)

demand = Table(
    "demand",
    metadata,
    Column("queue", String(100), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("parts", Text, nullable=False),  # JSON
    Column("at", Float, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("queue", String(100), nullable=False),
    Column("lane", String(100), nullable=False),
    Column("at", Float, nullable=False),
    Column("change", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("counts", Text, nullable=False),  # JSON
    Index("decisions_of_queue", "queue", "id"),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("jti", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("issued_by", String(200), nullable=False),
    Column("issued_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("uses_left", Integer),
    Column("queue", String(100)),
    Index(
        "tokens_revoked",
        "revoked_at",
        sqlite_where=text("revoked_at IS NOT NULL"),
        postgresql_where=text("revoked_at IS NOT NULL"),
    ),
)

task_labels = Table(
    "task_labels",
    metadata,
    Column("key", String(63), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("task_id", BigId, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("task_labels_of_task", task_labels.c.task_id)

# Rows shared by many, written last.

tasks = Table(
    "tasks",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("key", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("owner_group", String(100), nullable=False),
    Column("share", String(200), nullable=False),
    Column("labels", Text, nullable=False),  # JSON
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("spec", Text, nullable=False),  # JSON
    Column("n_jobs", Integer, nullable=False),
    Column("made", Integer, nullable=False, server_default="0"),  # jobs that have their row
    Column("released", Integer, nullable=False, server_default="0"),  # jobs that were let go: those below this index
    Column("waits", Integer, nullable=False, server_default="0"),  # upstream tasks and jobs that have not ended
    Column("bucket_id", BigId),
    Column("retry_of", BigId),
    Column("killed", Text),  # why it is being ended: no job of it starts any more
    Column("ending", String(16)),  # what its waiting jobs then become: cancelled or closed
    Column("n_finished", Integer, nullable=False, server_default="0"),
    Column("n_failed", Integer, nullable=False, server_default="0"),
    Column("n_cancelled", Integer, nullable=False, server_default="0"),
    Column("n_closed", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Index("tasks_by_key", "owner", "key", unique=True),
    Index("tasks_at_work", "id", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
    Index(
        "tasks_being_ended",
        "id",
        sqlite_where=text("killed IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=text("killed IS NOT NULL AND ended_at IS NULL"),
    ),
    Index("tasks_by_state", "state", "id"),
    sqlite_autoincrement=True,
)

buckets = Table(
    "buckets",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("spec", Text, nullable=False),  # JSON
    Column("priority", Integer, nullable=False),
    Column("waiting", Integer, nullable=False, server_default="0"),
    Index("buckets_waiting", "id", sqlite_where=text("waiting > 0"), postgresql_where=text("waiting > 0")),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("task_id", BigId),
    Column("state", String(16), nullable=False),
    Column("jobs", Text),  # ranges of indices
    Column("reason", Text),
    Index("outbox_of_task", "task_id", "id"),
)

# Ids are taken from this one row, last of all: they are given in commit order, so who reads `id > n` misses nothing.
outbox_head = Table(
    "outbox_head",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False),
)
