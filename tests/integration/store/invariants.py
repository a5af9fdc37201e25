"""What holds in every store at every moment, as questions to the database: a sentence for each row that breaks it."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from barnstorm.model.ids import spans
from barnstorm.model.states import ATTEMPT, JOB, TASK
from barnstorm_server.store.endings import state_of_ended

_LIVE_ATTEMPT = ", ".join(f"'{state}'" for state in sorted(ATTEMPT.live))
_AT_WORK = "'sent', 'starting', 'running', 'transferring'"
_ENDED = ", ".join(f"'{state}'" for state in sorted(JOB.terminal))

# Each gives one row for each violation.
_QUESTIONS = {
    "bucket {} counts {} waiting jobs, but {} wait in it": """
        SELECT b.id, b.waiting, count(j.idx) AS n FROM buckets b LEFT JOIN jobs j ON j.bucket_id = b.id
        GROUP BY b.id, b.waiting HAVING b.waiting <> count(j.idx)""",
    "job {}.{} in a bucket is {} (not before {})": """
        SELECT task_id, idx, state, not_before FROM jobs
        WHERE bucket_id IS NOT NULL AND (state <> 'activated' OR not_before IS NOT NULL)""",
    "job {}.{} is activated, but neither in a bucket nor in a backoff": """
        SELECT task_id, idx FROM jobs WHERE state = 'activated' AND bucket_id IS NULL AND not_before IS NULL""",
    "job {}.{} has {} live attempts": f"""
        SELECT task_id, idx, count(*) AS n FROM attempts WHERE state IN ({_LIVE_ATTEMPT})
        GROUP BY task_id, idx HAVING count(*) > 1""",
    "job {}.{} is {}, but no attempt of it is at work": f"""
        SELECT j.task_id, j.idx, j.state FROM jobs j WHERE j.state IN ({_AT_WORK}) AND NOT EXISTS (
          SELECT 1 FROM attempts a WHERE a.task_id = j.task_id AND a.idx = j.idx AND a.stop IS NULL
          AND a.number = j.next_attempt - 1 AND a.state IN ({_LIVE_ATTEMPT}))""",
    "job {}.{} is {}, but its attempt {} is at work": f"""
        SELECT j.task_id, j.idx, j.state, a.number
        FROM jobs j JOIN attempts a ON a.task_id = j.task_id AND a.idx = j.idx
        WHERE a.stop IS NULL AND a.state IN ({_LIVE_ATTEMPT}) AND j.state NOT IN ({_AT_WORK})""",
    "job {}.{} had attempts up to {}, {} of them, and the next is {}": """
        SELECT j.task_id, j.idx, max(a.number) AS last, count(*) AS n, j.next_attempt
        FROM jobs j JOIN attempts a ON a.task_id = j.task_id AND a.idx = j.idx
        GROUP BY j.task_id, j.idx, j.next_attempt
        HAVING max(a.number) <> count(*) OR j.next_attempt <> count(*) + 1""",
    "attempt {}.{}/{} is {}, but its end is {}": f"""
        SELECT task_id, idx, number, state, ended_at FROM attempts
        WHERE (state IN ({_LIVE_ATTEMPT})) <> (ended_at IS NULL)""",
    "job {}.{} is {}, but its end is {}": f"""
        SELECT task_id, idx, state, ended_at FROM jobs WHERE (state IN ({_ENDED})) <> (ended_at IS NOT NULL)""",
    "task {} says that {} of its {} jobs are made; {} are": """
        SELECT t.id, t.made, t.n_jobs, count(j.idx) AS n FROM tasks t LEFT JOIN jobs j ON j.task_id = t.id
        GROUP BY t.id, t.made, t.n_jobs HAVING t.made <> count(j.idx) OR t.made > t.n_jobs""",
    "pilot {} is {}, but holds live attempts": f"""
        SELECT DISTINCT p.id, p.state FROM pilots p JOIN attempts a ON a.pilot_id = p.id
        WHERE a.state IN ({_LIVE_ATTEMPT}) AND p.ended_at IS NOT NULL""",
    "task {} waits for {}, but {} upstream tasks have not ended": """
        SELECT t.id, t.waits, count(u.id) AS n FROM tasks t
        LEFT JOIN edges e ON e.waiter_task = t.id
        LEFT JOIN tasks u ON u.id = e.task_id AND (u.state <> 'finished')
        GROUP BY t.id, t.waits HAVING t.waits <> count(u.id)""",
}


def broken(connection: Connection) -> list[str]:
    """A sentence for each thing in the store that does not add up."""
    found = []
    for sentence, question in _QUESTIONS.items():
        found += [sentence.format(*row) for row in connection.execute(text(question))]
    return [*found, *_tasks(connection), *_outbox(connection)]


def _tasks(connection: Connection) -> Iterator[str]:
    counted: dict[int, dict[str, int]] = {}
    for row in connection.execute(text("SELECT task_id, state, count(*) AS n FROM jobs GROUP BY task_id, state")):
        counted.setdefault(row.task_id, {})[row.state] = row.n
    for task in connection.execute(text("SELECT * FROM tasks")):
        told = {state: getattr(task, f"n_{state}") for state in sorted(JOB.terminal)}
        there = {state: counted.get(task.id, {}).get(state, 0) for state in sorted(JOB.terminal)}
        if told != there:
            yield f"task {task.id} counts {told}; there are {there}"
        ended = sum(there.values()) == task.n_jobs
        if ended != (task.ended_at is not None) or ended != (task.state in TASK.terminal):
            yield f"task {task.id} is {task.state}, ended at {task.ended_at}; its jobs: {there} of {task.n_jobs}"
        elif ended:
            wanted = state_of_ended(there["finished"], there["failed"], there["cancelled"], there["closed"])
            if task.state != wanted:
                yield f"task {task.id} ended {task.state}, and not {wanted}"


def _outbox(connection: Connection) -> Iterator[str]:
    """Ids without gaps; each job and task is said to have ended once, and what is said last of it is so."""
    last: dict[tuple[str, int, int], str] = {}
    rows = connection.execute(text("SELECT id, kind, task_id, state, jobs FROM outbox ORDER BY id")).all()
    head = connection.execute(text("SELECT last_id FROM outbox_head")).scalar_one()
    if [row.id for row in rows] != list(range(1, head + 1)):
        yield f"the outbox has {len(rows)} messages up to id {head}, with gaps"
    for row in rows:
        indices = [index for span in spans(row.jobs) for index in span] if row.jobs else [-1]
        terminal = JOB.terminal if row.kind == "job" else TASK.terminal
        for index in indices:
            thing = (row.kind, row.task_id, index)
            if last.get(thing) in terminal:
                yield f"message {row.id} says that {thing} is {row.state}, after it was {last[thing]}"
            last[thing] = row.state
    for job in connection.execute(text(f"SELECT task_id, idx, state FROM jobs WHERE state IN ({_ENDED})")):
        told = last.get(("job", job.task_id, job.idx))
        if told != job.state:
            yield f"job {job.task_id}.{job.idx} is {job.state}, but the outbox says {told} last"
    for task in connection.execute(text("SELECT id, state FROM tasks")):
        told = last.get(("task", task.id, -1))
        if told != task.state:
            yield f"task {task.id} is {task.state}, but the outbox says {told} last"
