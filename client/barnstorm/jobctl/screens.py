"""`show`: the view of a thing, and the screen that belongs to its noun."""

from importlib import import_module
from typing import Any

from ..api.people import PeopleApi
from ..model.ids import parse_attempt, parse_job, parse_prefixed, parse_task

View = dict[str, Any]
SCREENS = ("task", "job", "queue")
PREFIXES = {"worker": "w", "pilot": "p"}


def view_of(api: PeopleApi, noun: str, name: str) -> View:
    """What the server knows of a thing. Raises InvalidId, NotFound."""
    if noun == "task":
        return api.task(parse_task(name))
    if noun == "job":
        job = parse_attempt(name).job if "/" in name else parse_job(name)
        return api.job(str(job))
    if noun == "queue":
        return api.queue(name)
    if noun in PREFIXES:
        parse_prefixed(PREFIXES[noun], name)
    return api.thing(f"{noun}s", name)


def show_all(noun: str, names: list[str], form: str) -> None:
    """Fetch and print things of one noun."""
    from .session import people

    api = people()
    print_views([(noun, name, view_of(api, noun, name)) for name in names], form)


def print_views(found: list[tuple[str, str, View]], form: str) -> None:
    """Print (noun, name, view) triples: screens, JSON (an object for one thing, a list for several) or ids."""
    from .layout import say
    from .tables import print_json

    if form == "json":
        views = [view for _noun, _name, view in found]
        print_json(views[0] if len(views) == 1 else views)
        return
    for number, (noun, name, view) in enumerate(found):
        if form == "ids":
            say([str(view.get("id") or view.get("name") or name)])
            continue
        if number:
            say([""])
        say(screen(noun, name, view))


def screen(noun: str, name: str, view: View) -> list[str]:
    """The lines for a view."""
    module = import_module(f".screen_{noun if noun in SCREENS else 'other'}", __package__)
    made: list[str] = module.lines(noun, name, view)
    return made
