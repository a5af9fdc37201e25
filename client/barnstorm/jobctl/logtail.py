"""Reading a job's log from the server: whole, its last lines, or as it grows."""

import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, Optional

import click

from ..api.errors import Busy, Unreachable
from ..api.people import LogChunk, PeopleApi
from ..model.states import JOB

View = dict[str, Any]
POLL_S = 20.0
RETRY_S = 2.0
TAIL_PIECE = 256 * 1024
PATIENCE_S = 600.0


def jobs_of(api: PeopleApi, task: int) -> Iterator[View]:
    """The jobs of a task that have been tried at least once."""
    return (job for job in api.jobs(task) if int(job.get("attempts") or 0) > 0)


class Log:
    """One stream of one job; of the attempt named, else of the last one."""

    def __init__(self, api: PeopleApi, job: str, stream: str, attempt: Optional[int]) -> None:
        self.api = api
        self.job = job
        self.stream = stream
        self.attempt = attempt
        self.out: BinaryIO = sys.stdout.buffer

    def print(self, tail: Optional[int]) -> int:
        """Print what is there; returns how many bytes."""
        begin = offset = self._begin(tail, self.attempt)
        attempt = self.attempt
        while True:
            chunk = self._read(offset, attempt, 0)
            if chunk is None or not chunk.data:
                return offset - begin
            attempt = chunk.attempt or attempt
            offset = chunk.offset + len(chunk.data)
            self._write(chunk.data)

    def follow(self, tail: Optional[int]) -> None:
        """Print what is there and what comes, until the job has ended (with --attempt: until that attempt has)."""
        attempt = self.attempt
        offset = self._begin(tail, attempt)
        while True:
            chunk = self._patient(offset, attempt)
            if chunk is None or (not chunk.data and not chunk.complete and not chunk.attempt):
                if self._over(None):
                    return
                time.sleep(0.2)
                continue
            attempt = chunk.attempt or attempt
            if chunk.data:
                offset = chunk.offset + len(chunk.data)
                self._write(chunk.data)
            elif chunk.complete:
                if self.attempt is not None or self._over(attempt):
                    return
                attempt, offset = self._next(attempt), 0

    def say_when_empty(self) -> None:
        """On an empty log: what the reason is."""
        view = self.api.job(self.job)
        if not view.get("attempts"):
            click.echo(f"{self.job} has not started: jobctl explain {self.job}", err=True)
            return
        other = "stderr" if self.stream == "stdout" else "stdout"
        last = self._attempts(view)[-1:]
        if last and last[0].get(f"{other}_bytes"):
            hint = " --stderr" if other == "stderr" else ""
            click.echo(f"{self.stream} is empty; there is a {other}: jobctl logs {self.job}{hint}", err=True)

    def _over(self, attempt: Optional[int]) -> bool:
        """Whether the job has ended and no attempt after this one is there to be read."""
        view = self.api.job(self.job)
        later = [one for one in self._attempts(view) if int(one["number"]) > (attempt or 0)]
        return str(view["state"]) in JOB.terminal and (attempt is None or not later)

    def _next(self, attempt: Optional[int]) -> int:
        """Wait for the attempt after one that ended, and say so."""
        said = False
        while True:
            view = self.api.job(self.job)
            later = [int(one["number"]) for one in self._attempts(view) if int(one["number"]) > (attempt or 0)]
            if later:
                click.echo(f"-- {self.job}/{later[0]} --", err=True)
                return later[0]
            if str(view["state"]) in JOB.terminal:
                return attempt or 1
            if not said:
                click.echo(f"-- {self.job}/{attempt} ended; the job is tried again --", err=True)
                said = True
            time.sleep(1.0)

    def _begin(self, tail: Optional[int], attempt: Optional[int]) -> int:
        """The offset at which the last `tail` lines begin, of what is there now."""
        if tail is None:
            return 0
        attempts = self._attempts(self.api.job(self.job))
        wanted = [one for one in attempts if attempt is None or int(one["number"]) == attempt]
        end = int(wanted[-1].get(f"{self.stream}_bytes") or 0) if wanted else 0
        if tail == 0:
            return end
        begin, lines = end, 0
        number = attempt or (int(wanted[-1]["number"]) if wanted else None)
        while begin > 0:
            start = max(0, begin - TAIL_PIECE)
            piece = self._span(start, begin, number)
            at = len(piece)
            if begin == end and piece.endswith(b"\n"):
                at -= 1
            while True:
                at = piece.rfind(b"\n", 0, at)
                if at < 0:
                    break
                lines += 1
                if lines == tail:
                    return start + at + 1
            begin = start
        return 0

    def _span(self, start: int, end: int, attempt: Optional[int]) -> bytes:
        """The bytes from `start` to `end`."""
        found = b""
        while start + len(found) < end:
            chunk = self._read(start + len(found), attempt, 0)
            if chunk is None or not chunk.data:
                break
            found += chunk.data
        return found[: end - start]

    def _patient(self, offset: int, attempt: Optional[int]) -> Optional[LogChunk]:
        """A long poll that outlives a restart of the server."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._read(offset, attempt, POLL_S)
            except (Unreachable, Busy):
                if time.monotonic() > until:
                    raise
                time.sleep(RETRY_S)

    def _read(self, offset: int, attempt: Optional[int], wait_s: float) -> Optional[LogChunk]:
        return self.api.log(self.job, self.stream, offset, attempt, wait_s)

    def _write(self, data: bytes) -> None:
        self.out.write(data)
        self.out.flush()

    @staticmethod
    def _attempts(view: View) -> list[View]:
        return list(view.get("attempt_list") or [])
