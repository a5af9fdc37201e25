"""Waiting for tasks and jobs by the server's events, patient with a server that is away for a while."""

import time
from collections.abc import Callable
from typing import Any, Optional

from ..api.errors import Busy, Unreachable
from ..api.people import PeopleApi
from ..model.states import JOB, TASK

View = dict[str, Any]
POLL_S = 20.0
REFRESH_S = 0.05
REFRESH_MANY_S = 0.25
RETRY_S = 2.0


class Waiter:
    """The latest views of what is waited for, and the place in the stream of events."""

    def __init__(self, api: PeopleApi, ids: list[str], on_away: Callable[[], None] = lambda: None) -> None:
        self.api = api
        self.on_away = on_away
        self.views: dict[str, Optional[View]] = dict.fromkeys(ids)
        self.tasks = {int(one.partition(".")[0]) for one in ids}
        self.after = int(api.events(after=-1, wait_s=0)["next"])
        self.away = False
        self._looked = 0.0

    @property
    def live(self) -> list[str]:
        return [one for one, view in self.views.items() if view is None or not has_ended(one, view)]

    def refresh(self) -> bool:
        """Look at those that have not ended; whether any is left. A first look raises, later ones are patient."""
        self._looked = time.monotonic()
        for one in self.live:
            try:
                self.views[one] = self.api.job(one) if "." in one else self.api.task(int(one))
                self.away = False
            except (Unreachable, Busy):
                if self.views[one] is None:
                    raise
                self._say_away()
                return True
        return bool(self.live)

    def sleep(self, until: Optional[float]) -> bool:
        """Wait for an event of one of the tasks, or a while; False when the time is over."""
        begun = time.monotonic()
        while True:
            left = POLL_S if until is None else min(POLL_S, until - time.monotonic())
            if left <= 0:
                return until is None or time.monotonic() < until
            if self._hears(left) or time.monotonic() - begun > POLL_S:
                break
        pause = self._looked + (REFRESH_MANY_S if self._many() else REFRESH_S) - time.monotonic()
        if pause > 0:  # events come in crowds; a look at each would be a waste
            time.sleep(pause)
        return True

    def _hears(self, wait_s: float) -> bool:
        only = next(iter(self.tasks)) if len(self.tasks) == 1 else None
        try:
            page = self.api.events(self.after, only, wait_s)
        except (Unreachable, Busy):
            self._say_away()
            time.sleep(min(RETRY_S, wait_s))
            return True
        self.after = int(page["next"])
        return any(event.get("task") in self.tasks for event in page["items"])

    def _many(self) -> bool:
        return len(self.views) > 1 or any(int((view or {}).get("jobs", 1)) > 1 for view in self.views.values())

    def _say_away(self) -> None:
        if not self.away:
            self.on_away()
        self.away = True


def has_ended(one: str, view: View) -> bool:
    return str(view["state"]) in (JOB.terminal if "." in one else TASK.terminal)


def went_well(view: View) -> bool:
    return str(view["state"]) == "finished"
