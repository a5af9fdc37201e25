"""The attempts a pilot holds, and those it is done with: what `held` names, and what must not be started twice."""

import time
from collections import OrderedDict
from typing import Optional

from barnstorm.model.pilots import Report

_REMEMBERED = 20_000


class Outbox:
    """Reports that have not been answered. They are repeated until they are; their ages are told anew each time."""

    def __init__(self) -> None:
        self._reports: OrderedDict[str, tuple[Report, Optional[float], float]] = OrderedDict()
        self._bytes: dict[str, int] = {}

    def add(self, report: Report, started: Optional[float], ended: float) -> None:
        """Keep a report; `started` and `ended` are monotonic times."""
        self._reports[report.attempt] = (report, started, ended)
        self._bytes[report.attempt] = 1000 + sum(len(piece.data) for piece in report.logs)

    def batch(self, most: int, most_bytes: int) -> list[Report]:
        """The oldest reports, at least one if there is any, with their ages as of now."""
        now, size = time.monotonic(), 0
        found: list[Report] = []
        for attempt, (report, started, ended) in self._reports.items():
            size += self._bytes[attempt]
            if found and (len(found) >= most or size > most_bytes):
                break
            report.started_ago_s = None if started is None else round(max(0.0, now - started), 4)
            report.ended_ago_s = round(max(0.0, now - ended), 4)
            found.append(report)
        return found

    def remove(self, attempt: str) -> bool:
        """The server has answered; False when there was no such report."""
        self._bytes.pop(attempt, None)
        return self._reports.pop(attempt, None) is not None

    def first_to_end(self, attempt: str) -> None:
        """Let the others go first: this one made trouble."""
        self._reports.move_to_end(attempt)

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._reports

    def __len__(self) -> int:
        return len(self._reports)


class Ended:
    """Attempts whose end the server knows: a grant that was long on its way must not begin them again."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, attempt: str) -> None:
        self._known[attempt] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._known
