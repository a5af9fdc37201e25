"""Which processes belong to which attempt, also after they changed session, group or environment; and their killing.

A payload's process tree is easy while its parents live. What is orphaned comes to the pilot (`native.adopt_orphans`)
and is given to its attempt by, in this order: having been seen in its tree, its session or group, its environment, and
at last by there being no other attempt it could have come from.
"""

import contextlib
import os
import signal
from collections.abc import Iterable

from . import proc
from .children import Children

Key = tuple[int, int]


class Family:
    """The processes of one attempt: the payload we started, and what came of it."""

    def __init__(self, attempt: str, root: int) -> None:
        self.attempt = attempt
        self.root = root
        self.mark = f"BARNSTORM_ATTEMPT={attempt}".encode()
        self.seen: set[Key] = set()

    def owns(self, orphan: proc.Stat) -> bool:
        """Whether a process is known to have come from this payload."""
        if (orphan.pid, orphan.started) in self.seen:
            return True
        return self.root in (orphan.session, orphan.group) or proc.has_mark(orphan.pid, self.mark)


class Families:
    """The families of all attempts that run, and orphans that nobody knows yet."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._families: dict[str, Family] = {}
        self._strays: dict[Key, set[str]] = {}

    def add(self, attempt: str, root: int) -> None:
        """A payload was started."""
        self._families[attempt] = Family(attempt, root)

    def trees(self) -> dict[str, list[proc.Stat]]:
        """The processes of each attempt, its orphans included. One pass over /proc."""
        roots = {attempt: family.root for attempt, family in self._families.items()}
        orphans = self._orphans(proc.children(os.getpid()))
        below = proc.family_of([*roots.values(), *(one.pid for one in orphans)])
        found = {attempt: list(below[root]) for attempt, root in roots.items()}
        for orphan in orphans:
            for attempt in self._owners(orphan):
                found[attempt] += below[orphan.pid]
        alive = {(one.pid, one.started) for one in orphans}
        self._strays = {key: possible for key, possible in self._strays.items() if key in alive}
        for attempt, tree in found.items():
            self._families[attempt].seen.update((one.pid, one.started) for one in tree)
        return found

    def kill_rest(self, attempt: str, quick: bool = False) -> int:
        """Kill all that is left of an attempt whose payload has ended; returns how many processes that were.

        More may come of them before they die: call again until it returns 0, then `forget`. `quick`, for payloads that
        lasted an instant: look only at processes started since then, which costs microseconds.
        """
        me = os.getpid()
        if quick:
            found = [proc.stat(pid) for pid in proc.newer_than(self._families[attempt].root)]
            orphans = self._orphans(one for one in found if one is not None and one.parent == me)
        else:
            orphans = self._orphans(proc.children(me))
        doomed = [orphan.pid for orphan in orphans if attempt in self._owners(orphan, ending=attempt)]
        if doomed:
            _kill(one.pid for tree in proc.family_of(doomed).values() for one in tree)
        return len(doomed)

    def kill(self, attempt: str) -> None:
        """SIGKILL to the whole tree of an attempt, orphans included."""
        _kill(one.pid for one in self.trees().get(attempt, ()))

    def forget(self, attempt: str) -> None:
        """The attempt is over."""
        self._families.pop(attempt, None)

    def _orphans(self, candidates: Iterable[proc.Stat]) -> list[proc.Stat]:
        """Live children of ours that we did not start."""
        return [one for one in candidates if one.state != "Z" and not self._children.is_ours(one.pid)]

    def _owners(self, orphan: proc.Stat, ending: str = "") -> list[str]:
        """The attempt an orphan belongs to (none while several are possible). `ending`: this one can be it no more."""
        for attempt, family in self._families.items():
            if family.owns(orphan):
                return [attempt]
        key = (orphan.pid, orphan.started)
        possible = self._strays.setdefault(key, set(self._families))
        possible &= set(self._families)
        if len(possible) == 1:
            return list(possible)
        possible.discard(ending)
        return [ending] if ending and not possible else []


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        # It may be gone, or have become another user's (a set-user-id program).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
