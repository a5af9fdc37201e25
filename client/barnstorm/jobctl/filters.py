"""Filters of lists: words of the tables as the finer states behind them, `me` as the caller."""

import itertools
from typing import Any, Callable, Dict, Iterator, List, Optional

import click

from ..api.people import PeopleApi
from ..model.states import JOB, JOB_WORDS, PILOT, TASK, WORKER

View = Dict[str, Any]
MACHINES = {"task": TASK, "job": JOB, "worker": WORKER, "pilot": PILOT}


def states_of(noun: str, text: Optional[str]) -> List[str]:
    """The states that `text` names: a state itself, or for jobs a word of the tables. Raises click.BadParameter."""
    if not text:
        return []
    machine = MACHINES[noun]
    found: List[str] = []
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
    fetch: Callable[..., Iterator[View]], filters: Dict[str, Any], states: List[str], limit: Optional[int]
) -> Iterator[View]:
    """Items in one of `states`. One state is asked of the server; several are picked out of what it sends."""
    if len(states) <= 1:
        wanted = {**filters, "limit": limit}
        if states:
            wanted["state"] = states[0]
        return fetch(**wanted)
    found = (item for item in fetch(**filters) if item.get("state") in states)
    return itertools.islice(found, limit)
