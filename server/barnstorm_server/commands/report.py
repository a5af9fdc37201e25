"""A pilot's word on how an attempt ended, fenced: only the live attempt of that pilot is changed by it."""

import math
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, text

from barnstorm.model.ids import AttemptId, InvalidId, parse_attempt
from barnstorm.model.pilots import Report, ReportResult
from barnstorm.model.task import InvalidSpec, check_path
from barnstorm_server.rules import retry
from barnstorm_server.store.tables import LIVE_ATTEMPTS
from barnstorm_server.store.task_cache import TaskCache
from barnstorm_server.store.transaction import Transaction, dumps

from .release import waiting_bucket

_END_ATTEMPT = text(
    "UPDATE attempts SET state = :state, started_at = coalesce(:started, started_at), ended_at ="
    " :ended, exit_code = :exit_code,"
    " signal = :signal, fault = :fault, message = :message, metrics = :metrics"
    " WHERE task_id = :task AND idx = :idx AND number = :number AND pilot_id = :pilot"
    f" AND {LIVE_ATTEMPTS} RETURNING stop, started_at"
)
_ATTEMPT = text("SELECT state, pilot_id, owner FROM attempts WHERE task_id = :task AND idx = :idx AND number = :number")
_JOB = text("SELECT state, spent, free_tries, memory_mib FROM jobs WHERE task_id = :task AND idx = :idx")
_END_JOB = text(
    "UPDATE jobs SET state = :state, exit_code = :exit_code, fault = :fault, message = :message, result = :result,"
    " started_at = :started, ended_at = :ended, peak_mib = :peak_mib, cpu_s = :cpu_s, spent = spent + :spent"
    " WHERE task_id = :task AND idx = :idx"
)
_AGAIN = text(
    "UPDATE jobs SET state = 'activated', bucket_id = :bucket, not_before = :not_before, spent = spent + :spent,"
    " free_tries = free_tries + :free, exit_code = :exit_code, fault = :fault, message = :message, reason = :reason"
    " WHERE task_id = :task AND idx = :idx"
)
_KILLED = text("SELECT killed, ending FROM tasks WHERE id = :id")
_OUTPUT = text(
    "INSERT INTO outputs (task_id, idx, name, blob, size) VALUES (:task, :idx, :name, :blob, :size)"
    " ON CONFLICT (task_id, idx, name) DO NOTHING"
)
_HAVE = text("SELECT size FROM blobs WHERE digest = :digest AND owner = :owner")

ENDS = {"succeeded": "finished", "failed": "failed", "cancelled": "cancelled"}


def accept(tx: Transaction, tasks: TaskCache, pilot: int, report: Report) -> ReportResult:
    """Apply one report. A repeat or a stale one changes nothing and is told so; nothing is ever refused by an error."""
    try:
        attempt = parse_attempt(report.attempt)
    except InvalidId as error:
        return ReportResult(report.attempt, "stale", str(error))
    if report.outputs or report.state == "returned":
        report = _as_it_is(tx, attempt, report)
    row = end_attempt(tx, attempt, pilot, report)
    if row is None:
        return _why_not(tx, attempt, pilot, report)
    if row.stop is None:
        settle(tx, tasks, attempt, report, row.started_at)
    return ReportResult(report.attempt, "accepted")


def end_attempt(tx: Transaction, attempt: AttemptId, pilot: int, report: Report, state: str = "") -> Row[Any] | None:
    """End the attempt if it is live and this pilot's; `state` overrides the report's (lost)."""
    ended = tx.now - (report.ended_ago_s or 0.0)
    started = None if report.started_ago_s is None else min(tx.now - report.started_ago_s, ended)
    found = tx.write_returning(
        _END_ATTEMPT,
        task=attempt.task,
        idx=attempt.index,
        number=attempt.number,
        pilot=pilot,
        state=state or report.state,
        started=started,
        ended=ended,
        exit_code=report.exit_code,
        signal=report.signal,
        fault=report.fault or None,
        message=report.message or None,
        metrics=dumps(report.metrics) if report.metrics else None,
    )
    return found[0] if found else None


def settle(
    tx: Transaction, tasks: TaskCache, attempt: AttemptId, report: Report, started: float | None, state: str = ""
) -> None:
    """What an attempt's end means for its job: its own end, or another try."""
    task, idx = attempt.task, attempt.index
    if report.state == "succeeded" and not state:
        tx.write_many(_OUTPUT, [{"task": task, "idx": idx, **vars(out)} for out in report.outputs])
        _end_job(tx, attempt, report, "finished", started, 0)
        return
    job = tx.row(_JOB, task=task, idx=idx)
    killed = tx.row(_KILLED, id=task)
    assert job is not None
    assert killed is not None
    known = tasks.get(tx.connection, task)
    decision = retry.decide(
        state or report.state,
        report.fault,
        retries=known.spec.retries,
        spent=job.spent,
        free_tries=job.free_tries,
    )
    if killed.killed is not None and decision.again:
        decision = retry.RetryDecision(False, decision.spends, 0.0, killed.killed)
        if report.state == "returned":
            report = Report(report.attempt, "cancelled", fault="killed", message=killed.killed)
    if not decision.again:
        _end_job(tx, attempt, report, ENDS.get(report.state, "failed"), started, int(decision.spends))
        return
    bucket = None if decision.delay_s > 0 else waiting_bucket(tx, tasks, task, job.memory_mib)
    tx.write(
        _AGAIN,
        task=task,
        idx=idx,
        bucket=bucket,
        not_before=tx.now + decision.delay_s if decision.delay_s > 0 else None,
        spent=int(decision.spends),
        free=int(not decision.spends and report.state != "returned"),
        exit_code=report.exit_code,
        fault=report.fault or None,
        message=report.message or None,
        reason=decision.reason,
    )
    if bucket is not None:
        tx.bucket(bucket, 1)
    tx.event("job", task, "activated", [idx], decision.reason)


def _end_job(
    tx: Transaction, attempt: AttemptId, report: Report, state: str, started: float | None, spent: int
) -> None:
    peak_kb = _top(report, "pss") or _top(report, "rss")
    cpu_s = [seconds for seconds in (_top(report, "utime"), _top(report, "stime")) if seconds is not None]
    tx.write(
        _END_JOB,
        task=attempt.task,
        idx=attempt.index,
        state=state,
        exit_code=report.exit_code,
        fault=report.fault or None,
        message=report.message or None,
        result=report.result,
        started=started,
        ended=tx.now - (report.ended_ago_s or 0.0),
        peak_mib=None if peak_kb is None else math.ceil(peak_kb / 1024),
        cpu_s=sum(cpu_s) if cpu_s else None,
        spent=spent,
    )
    tx.task_done(attempt.task, state)
    tx.event("job", attempt.task, state, [attempt.index])


def _top(report: Report, name: str) -> float | None:
    """A peak of prmon's summary, if the pilot sent a number for it."""
    peaks = report.metrics.get("Max")
    value = peaks.get(name) if isinstance(peaks, dict) else None
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 2**52 else None


def _why_not(tx: Transaction, attempt: AttemptId, pilot: int, report: Report) -> ReportResult:
    row = tx.row(_ATTEMPT, task=attempt.task, idx=attempt.index, number=attempt.number)
    if row is None:
        return ReportResult(report.attempt, "stale", "there is no such attempt")
    if row.pilot_id != pilot:
        return ReportResult(report.attempt, "stale", f"it was leased by pilot p{row.pilot_id}")
    if row.state == report.state:
        return ReportResult(report.attempt, "repeated")
    return ReportResult(report.attempt, "stale", f"it ended before, as {row.state}")


def _as_it_is(tx: Transaction, attempt: AttemptId, report: Report) -> Report:
    """The report, or what it comes to: only what has not begun is given back, and a success brings all its outputs."""
    row = tx.row(_ATTEMPT, task=attempt.task, idx=attempt.index, number=attempt.number)
    if row is None:
        return report
    if report.state == "returned":
        if row.state in ("leased", "returned"):
            return report
        return replace(report, state="failed", fault="pilot", message="given back after it had begun")
    for out in report.outputs if report.state == "succeeded" else ():
        try:
            check_path("output", out.name)
        except InvalidSpec as error:
            return replace(report, state="failed", fault="output_bad", message=f"{out.name!r} {error.message}")
        stored = tx.row(_HAVE, digest=out.blob, owner=row.owner)
        if stored is None:
            message = f"output {out.name} never arrived at the server"
            return replace(report, state="failed", fault="stage_out", message=message)
        out.size = stored.size  # as it lies here, whatever the pilot says
    return report
