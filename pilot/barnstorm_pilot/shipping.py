"""Sends logs while payloads run, and what is left when they end. Of a stream one piece is on its way at a time."""

import time
from typing import Callable, Optional

from barnstorm.api.errors import ApiError, Busy
from barnstorm.api.pilot import PilotApi
from barnstorm.model.ids import AttemptId

from .journal import Journal
from .logs import LogStream, Piece
from .loop import Loop
from .threads import Crew

_LONGEST_PAUSE_S = 5.0
# How long a report waits for a long log to get away before it goes ahead of it.
FLUSH_S = 60.0


class Parcel:
    """One stream's way to the server."""

    def __init__(self, attempt: AttemptId, stream: LogStream) -> None:
        self.attempt = attempt
        self.stream = stream
        self.in_flight = False
        self.dead = False
        self.pause_s = 0.0
        self.not_before = 0.0
        self.then: Optional[Callable[[], None]] = None


class Shipper:
    """Brings logs to the server."""

    def __init__(self, loop: Loop, api: PilotApi, journal: Journal) -> None:
        self._loop, self._api, self._journal = loop, api, journal
        self._crew = Crew(loop, "logs", 2)

    def ship(self, parcel: Parcel) -> None:
        """Send the next piece, unless one is on its way or there is none; `parcel.then` is called after it."""
        if parcel.in_flight or parcel.dead or time.monotonic() < parcel.not_before:
            return
        piece = parcel.stream.next_piece()
        if piece is not None:
            parcel.in_flight = True
            self._crew.do(lambda: self._send(parcel, piece), lambda offset, error: self._sent(parcel, offset, error))

    def _send(self, parcel: Parcel, piece: Piece) -> int:
        return self._api.put_log(parcel.attempt, parcel.stream.name, piece.offset, piece.data)

    def _sent(self, parcel: Parcel, offset: Optional[int], error: Optional[BaseException]) -> None:
        parcel.in_flight = False
        if error is None and offset is not None:
            parcel.stream.acknowledge(offset)
            parcel.pause_s = parcel.not_before = 0.0
        else:
            self._failed(parcel, error)
        if parcel.then:
            parcel.then()

    def _failed(self, parcel: Parcel, error: Optional[BaseException]) -> None:
        if isinstance(error, ApiError) and error.status < 500 and not isinstance(error, Busy):
            parcel.dead = True
            self._journal.warning("log refused", attempt=parcel.attempt, stream=parcel.stream.name, why=error)
            return
        parcel.pause_s = min(_LONGEST_PAUSE_S, max(0.2, parcel.pause_s * 2))
        parcel.not_before = time.monotonic() + parcel.pause_s

    def flush(self, parcels: list[Parcel], then: Callable[[], None]) -> None:
        """Of ended logs send all that does not fit into a report, then call `then`: once, and within FLUSH_S."""
        _Flush(self, self._loop, parcels, then, inline=True).go_on()

    def finish(self, parcels: list[Parcel], then: Callable[[], None]) -> None:
        """Send all there is, to the last byte, however long it takes; then call `then`."""
        _Flush(self, self._loop, parcels, then, inline=False).go_on()


class _Flush:
    """Waits until nothing is on its way and what is left is small enough."""

    def __init__(
        self, shipper: Shipper, loop: Loop, parcels: list[Parcel], then: Callable[[], None], inline: bool
    ) -> None:
        self._shipper, self._loop, self._parcels, self._then, self._inline = shipper, loop, parcels, then, inline
        self._until = time.monotonic() + FLUSH_S
        self._done = False
        self._timer = loop.later(FLUSH_S, self.go_on) if inline else None

    def go_on(self) -> None:
        if self._done:
            return
        waiting = [one for one in self._parcels if not self._is_done(one)]
        if not waiting or (self._inline and time.monotonic() >= self._until):
            self._done = True
            if self._timer:
                self._timer.cancel()
            self._then()
            return
        for parcel in waiting:
            parcel.then = self.go_on
            if parcel.not_before > time.monotonic() and not parcel.in_flight:
                self._loop.later(parcel.pause_s + 0.01, self.go_on)
            else:
                self._shipper.ship(parcel)

    def _is_done(self, parcel: Parcel) -> bool:
        if parcel.in_flight:
            return False
        if parcel.dead:
            return True
        return parcel.stream.fits_inline() if self._inline else parcel.stream.left() == 0
