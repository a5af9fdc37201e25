"""Explanations: each head sentence by table, and no fact that makes it stumble."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.faults import FAULTS
from barnstorm.model.shape import Shape
from barnstorm.model.states import JOB, JOB_WORDS
from barnstorm_server.rules.explain import JobFacts, QueueFacts, explain_job, needs_text, span
from barnstorm_server.rules.matching import MatchResult

NOW = 1_800_000_000.0
FITS, NOT = MatchResult(True, "all"), MatchResult(False, "", ("memory_mib 26,000 > 16,384",))


def view(state: str, **fields: Any) -> dict[str, Any]:
    """A job's view as the store gives it."""
    return {
        "id": "48213.7",
        "task": 48213,
        "index": 7,
        "name": "toys",
        "owner": "ada",
        "state": state,
        "word": JOB_WORDS[state],
        "attempts": 1,
        "queue": None,
        "node": None,
        "pilot": None,
        "exit_code": None,
        "fault": None,
        "message": None,
        "reason": None,
        "not_before": None,
        "created_at": NOW - 2460,
        "started_at": None,
        "ended_at": None,
        "peak_memory_mib": None,
        "cpu_s": None,
        "wall_s": None,
        "needs": vars(Shape(memory_mib=26_000, walltime_s=14_400)),
        "attempt_list": [],
        **fields,
    }


def facts(state: str, *queues: QueueFacts, waits_for: list[int] | None = None, **fields: Any) -> JobFacts:
    more = {name: fields.pop(name) for name in ("before", "alike", "silent_s", "retries") if name in fields}
    task = {"waits_for": waits_for or [], "spec": {"needs": {"tags": ["cvmfs"]}}}
    return JobFacts(NOW, view(state, **fields), task, list(queues), **more)


AT: dict[str, Any] = {"queue": "SLAC", "node": "sdf1", "pilot": "p9"}
ENDED: dict[str, Any] = {**AT, "ended_at": NOW - 60}


@pytest.mark.parametrize(
    ("given_facts", "head"),
    [
        (facts("activated"), "WAITING 41 min: there is no queue yet."),
        (facts("defined", waits_for=[7, 9]), "WAITING 41 min: for task 7, 9 to end well."),
        (facts("held", reason="killed its node 3 times"), "WAITING 41 min: held. killed its node 3 times"),
        (
            facts("activated", not_before=NOW + 40, reason="an input could not be brought"),
            "WAITING 41 min: tried again in 40 s (an input could not be brought).",
        ),
        (facts("activated", QueueFacts("a", NOT), QueueFacts("b", NOT)), "WAITING 41 min: fits none of 2 queues."),
        (
            facts("activated", QueueFacts("a", FITS), QueueFacts("b", NOT)),
            "WAITING 41 min: fits one queue, a: no harvester serves it, so no worker is started.",
        ),
        (
            facts("activated", QueueFacts("a", FITS, {"running": 3}, "edge")),
            "WAITING 41 min: fits one queue, a: its workers are busy, or about to take it.",
        ),
        (
            facts("activated", QueueFacts("a", FITS, {"submitted": 3}, "edge")),
            "WAITING 41 min: fits one queue, a: a worker is on its way.",
        ),
        (
            facts("activated", QueueFacts("a", FITS, {}, "edge", "limit of 40 workers")),
            "WAITING 41 min: fits one queue, a: limit of 40 workers.",
        ),
        (
            facts("activated", QueueFacts("a", FITS, {}, "edge")),
            "WAITING 41 min: fits one queue, a: its harvester has not decided yet.",
        ),
        (
            facts("activated", QueueFacts("a", FITS), QueueFacts("b", FITS), QueueFacts("c", NOT)),
            "WAITING 41 min: fits 2 of 3 queues.",
        ),
        (
            facts("running", started_at=NOW - 32_520, **AT),
            "RUNNING 9 h 02 min, of 4 h, on sdf1 (SLAC).",
        ),
        (
            facts(
                "sent", attempt_list=[{**AT, "leased_at": NOW - 3, "number": 1, "worker": None, "ended_at": None}], **AT
            ),
            "STARTING 3 s, of 4 h, on sdf1 (SLAC).",
        ),
        (
            facts("running", started_at=NOW - 600, silent_s=300, **AT),
            "RUNNING 10 min, of 4 h, on sdf1 (SLAC). Its pilot p9 was last heard 5 min ago.",
        ),
        (
            facts("running", started_at=NOW - 600, silent_s=12, **AT),
            "RUNNING 10 min, of 4 h, on sdf1 (SLAC).",
        ),
        (facts("finished", wall_s=61.0, attempts=2, **ENDED), "FINISHED after 1 min 01 s on sdf1 (SLAC), attempt 2."),
        (facts("finished", **ENDED), "FINISHED on sdf1 (SLAC), attempt 1."),
        (facts("cancelled", reason="wrong input", **ENDED), "CANCELLED: wrong input."),
        (facts("cancelled", message="the batch system ended it", **ENDED), "CANCELLED: the batch system ended it."),
        (facts("cancelled", **ENDED), "CANCELLED."),
        (facts("closed", reason="task 7 ended failed", **ENDED), "CLOSED: task 7 ended failed."),
        (
            facts("failed", fault="exit", exit_code=1, message="no such file", attempts=3, retries=2, **ENDED),
            'FAILED after 3 of 3 attempts: exit code 1, blamed on the payload. "no such file"',
        ),
        (
            facts("failed", fault="memory", attempts=1, **ENDED),
            "FAILED after 1 of 1 attempts: the payload used more memory than it asked for, blamed on the payload.",
        ),
        (
            facts("failed", fault="stage_in", attempts=11, **ENDED),
            "FAILED after 11 attempts: an input could not be brought to the node, blamed on the site.",
        ),
        (
            facts("failed", fault="gremlins", attempts=1, **ENDED),
            "FAILED after 1 of 1 attempts: gremlins, blamed on the payload.",
        ),
    ],
)
def test_the_head_says_it_in_one_sentence(given_facts: JobFacts, head: str) -> None:
    assert explain_job(given_facts)["head"] == head


def test_queues_are_listed_with_what_excludes_each_while_a_job_waits() -> None:
    told = explain_job(facts("activated", QueueFacts("a", FITS, {"running": 2}), QueueFacts("b", NOT)))
    assert told["queues"] == [
        {"queue": "a", "fits": True, "text": "lane all: 2 running", "lane": "all"},
        {"queue": "b", "fits": False, "text": "memory_mib 26,000 > 16,384", "lane": None},
    ]
    assert explain_job(facts("running", QueueFacts("a", FITS), **AT))["queues"] == []


def test_the_needs_and_whose_turn_it_is_are_facts() -> None:
    told = explain_job(facts("activated", QueueFacts("a", FITS), before=96, alike=312))
    assert {"label": "Needs", "text": "1 core · 26,000 MiB · 4 h · 1,000 MiB disk"} in told["facts"]
    assert {"label": "Turn", "text": "96 of the 312 waiting jobs with these needs are before it"} in told["facts"]
    assert told["needs"]["tags"] == ["cvmfs"]


def test_the_history_is_told_in_order() -> None:
    attempts = [
        {"number": 1, "node": "n1", "worker": "w8", "pilot": "p9", "state": "failed", "fault": "memory",
         "message": None, "leased_at": NOW - 50, "ended_at": NOW - 40},
        {"number": 2, "node": "n2", "worker": None, "pilot": "p10", "state": "succeeded", "fault": None,
         "message": None, "leased_at": NOW - 30, "ended_at": NOW - 20},
    ]  # fmt: skip
    told = explain_job(facts("finished", attempt_list=attempts, **{**ENDED, "ended_at": NOW - 20}))["history"]
    assert [one["text"] for one in told] == [
        "accepted",
        "attempt 1 on n1 (w8)",
        "attempt 1 failed: the payload used more memory than it asked for",
        "attempt 2 on n2 (p10)",
        "attempt 2 succeeded",
        "finished",
    ]
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (61, "1 min 01 s"), (599, "9 min 59 s"),
        (600, "10 min"), (659, "10 min"), (3600, "1 h"), (3659, "1 h"), (3660, "1 h 01 min"), (32_520, "9 h 02 min"),
        (86_400, "1 d"), (100_800, "1 d 4 h"),
    ],
)  # fmt: skip
def test_spans_are_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_needs_are_told_as_people_read_them() -> None:
    assert needs_text(Shape(8, 32_768, 43_200, 0, 2)) == "8 cores · 32,768 MiB · 12 h · 0 MiB disk · 2 GPUs"


TEXTS = st.none() | st.sampled_from(["", "a reason"])


@given(
    st.sampled_from(JOB.states),
    st.sampled_from([None, *FAULTS, "?"]),
    TEXTS,
    TEXTS,
    st.none() | st.integers(-1, 255),
    st.booleans(),
)
def test_no_state_and_no_missing_fact_makes_it_stumble(
    state: str, fault: str | None, reason: str | None, message: str | None, exit_code: int | None, placed: bool
) -> None:
    told = explain_job(
        facts(state, fault=fault, reason=reason, message=message, exit_code=exit_code, **(AT if placed else {}))
    )
    assert told["head"].startswith(JOB_WORDS[state].upper())
    assert "None" not in told["head"]
