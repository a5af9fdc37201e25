"""Waiting for tasks and jobs: the server's events by long poll, a progress bar on a terminal, plain lines elsewhere."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Optional

import click

from ..api.errors import ApiError, Unreachable
from ..api.people import PeopleApi
from ..sdk.waiting import Waiter, has_ended, went_well
from . import exits
from .words import by_word, counted, ended, task_word

View = dict[str, Any]
FAILED_SHOWN = 3


def wait_for(api: PeopleApi, ids: list[str], timeout_s: Optional[float] = None) -> int:
    """Wait until all have ended, say how, and give the exit code: 0, 1 (one did not end well) or 6 (time is over)."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    waiter = Waiter(api, ids, lambda: click.echo("the server does not answer; trying on", err=True))
    with _screen() as screen:
        while waiter.refresh():
            screen.show(waiter)
            if not waiter.sleep(until):
                break
        screen.show(waiter)
    return _verdict(waiter, timeout_s)


def sentence(one: str, view: View) -> str:
    """How something stands, in a line."""
    if "." in one:
        code = view.get("exit_code")
        rest = f" (exit {code})" if code else ""
        why = view.get("message") or view.get("fault") or ""
        return f"{one}: {view.get('word') or view['state']}{rest}" + (f": {why}" if why and not went_well(view) else "")
    return f"task {one}: {task_word(view)} · {counted(view.get('counts'))}" + (
        f" · {view['reason']}" if view.get("reason") else ""
    )


def _verdict(waiter: Waiter, timeout_s: Optional[float]) -> int:
    for one, view in waiter.views.items():
        if view is not None and has_ended(one, view):
            click.echo(sentence(one, view), err=True)
            if "." not in one and not went_well(view):
                _say_failed(waiter.api, int(one))
    live = waiter.live
    if live:
        what = ", ".join(live[:5]) + (" …" if len(live) > 5 else "")
        click.echo(f"error: {what} not ended after {timeout_s:g} s", err=True)
        return exits.TIMED_OUT
    bad = [one for one, view in waiter.views.items() if view is not None and not went_well(view)]
    if bad:
        click.echo(f"why: jobctl explain {bad[0]}", err=True)
        return exits.FAILED
    return exits.OK


def _say_failed(api: PeopleApi, task: int) -> None:
    """The first jobs of a task that failed; it is no failure of the wait when they cannot be had."""
    with suppress(ApiError, Unreachable):
        for job in api.jobs(task, state="failed", limit=FAILED_SHOWN):
            click.echo(sentence(str(job["id"]), job), err=True)


class _Lines:
    """For files and pipes: a line when a count has changed, at most each few seconds."""

    EACH_S = 5.0

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._at = 0.0

    def show(self, waiter: Waiter) -> None:
        if time.monotonic() - self._at < self.EACH_S:
            return
        self._at = time.monotonic()
        for one in waiter.live:
            view = waiter.views[one]
            if view is None:
                continue
            line = sentence(one, view)
            if self._last.get(one) != line:
                click.echo(line, err=True)
                self._last[one] = line


class _Bars:
    """For a terminal: a bar for each of the first few tasks, gone when the wait is over."""

    MOST = 10

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", style="dim"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
        self._bars: dict[str, Any] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def show(self, waiter: Waiter) -> None:
        for one, view in list(waiter.views.items())[: self.MOST]:
            if view is None:
                continue
            total, done, words = _measure(one, view)
            if one not in self._bars:
                self._bars[one] = self._progress.add_task(_title(one, view), total=total, words="")
            self._progress.update(self._bars[one], completed=done, total=total, words=words)


def _title(one: str, view: View) -> str:
    from .tables import printable

    name = printable(str(view.get("name") or ""))[:24]
    return f"{one} {name}".strip()


def _measure(one: str, view: View) -> Any:
    if "." in one:
        return 1, int(has_ended(one, view)), view.get("word") or view["state"]
    words = by_word(view.get("counts"))
    text = " · ".join(
        f"{words[word]:,} {word}" for word in ("waiting", "starting", "running", "failed") if words.get(word)
    )
    return int(view["jobs"]), ended(view.get("counts")), text


def _screen() -> AbstractContextManager[Any]:
    return _Bars() if sys.stderr.isatty() else nullcontext(_Lines())
