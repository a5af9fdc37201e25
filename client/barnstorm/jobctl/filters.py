"""Filters of lists: words of the tables as the finer states behind them, `me` as the caller."""

from collections.abc import Iterator
from typing import Any, Callable, Optional

import click

from ..api.people import PeopleApi
from ..model.states import JOB, JOB_WORDS, PILOT, TASK, WORKER

View = dict[str, Any]
MACHINES = {"task": TASK, "job": JOB, "worker": WORKER, "pilot": PILOT}


def states_of(noun: str, text: Optional[str]) -> list[str]:
    """The states that `text` names: a state itself, or for jobs a word of the tables. Raises click.BadParameter."""
    if not text:
        return []
    machine = MACHINES[noun]
    found: list[str] = []
    for one in text.split(","):
        if one in machine.states:
            found.append(one)
        elif noun == "job" and one in JOB_WORDS.values():
            found += [state for state, word in JOB_WORDS.items() if word == one]
        elif one == "live":
            found += [state for state in machine.states if state in machine.live]
        else:
            words = sorted(set(JOB_WORDS.values()) - set(machine.states)) if noun == "job" else []
            allowed = ", ".join([*words, *machine.states, "live"])
            raise click.BadParameter(f"a {noun} is never {one!r}; allowed: {allowed}", param_hint="--state")
    return list(dict.fromkeys(found))


def user_of(api: PeopleApi, user: Optional[str]) -> Optional[str]:
    return str(api.whoami()["subject"]) if user == "me" else user


def matching(
    fetch: Callable[..., Iterator[View]], filters: dict[str, Any], states: list[str], limit: Optional[int]
) -> Iterator[View]:
    """Tasks or jobs in one of `states`; none: in any."""
    return fetch(**{**filters, **({"state": states} if states else {}), "limit": limit})
