"""Looks at running payloads, while there are any: samples, limits, new log lines, news for the server."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Callable, Optional

from . import limits, prmon, proc
from .ending import Killed
from .host import Host
from .run import Run
from .workdir import used_bytes

TICK_S = 0.1
FIRST_SAMPLE_S = 0.1
LOG_S = 0.2
# Shorter jobs tell their times in the report; longer ones are worth a call of their own.
TELL_AFTER_S = 0.3


class Watched:
    """When to look at what of one run."""

    def __init__(self, run: Run, network: Sequence[int]) -> None:
        self.run = run
        self.network = network
        self.next_sample = run.since + FIRST_SAMPLE_S
        self.next_log = 0.0
        self.next_disk = run.since + 1.0
        self.looks_at_disk = False
        self.table: Optional[int] = None


class Watch:
    """One per pilot. `news` is called when a heartbeat would tell the server something new."""

    def __init__(self, host: Host, news: Callable[[], None]) -> None:
        self._host, self._news = host, news
        self._watched: list[Watched] = []
        self._ticking = False
        self._network = proc.network()

    def add(self, run: Run) -> None:
        """A run has begun."""
        self._watched.append(Watched(run, self._network))
        if not self._ticking:
            self._ticking = True
            self._host.loop.later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._watched = [one for one in self._watched if self._goes_on(one)]
        if not self._watched:
            self._ticking = False
            return
        self._host.loop.later(TICK_S, self._tick)
        now = time.monotonic()
        due = [one for one in self._watched if one.run.runs and one.next_sample <= now]
        if due:
            self._sample(due, now)
        for one in self._watched:
            self._look(one, now)

    def _goes_on(self, one: Watched) -> bool:
        if (
            one.run.dir is not None
            and one.run.state in ("starting", "running", "transferring")
            and not one.run.is_reported
        ):
            return True
        if one.table is not None:
            os.close(one.table)
        return False

    def _sample(self, due: list[Watched], now: float) -> None:
        trees, self._network = self._host.families.trees(), proc.network()
        for one in due:
            one.next_sample = now + self._host.settings.sample_s
            tree = trees.get(one.run.name)
            if not tree:
                continue
            moved = [here - before for here, before in zip(self._network, one.network)]
            sample = prmon.sample_tree(tree, one.run.wall_s, moved)
            one.run.summary.add(sample)
            self._write(one, sample)
            over = limits.over_memory(sample, one.run.grant.needs, self._host.queue.memory_grace)
            if over:
                one.run.kill(over, 0.0)

    def _write(self, one: Watched, sample: prmon.Sample) -> None:
        """Keep prmon.txt beside the logs, for whoever looks at the node while the job runs."""
        if one.run.dir is None:
            return
        text = prmon.row(sample, time.time())
        try:
            if one.table is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                one.table = os.open(one.run.dir.path + "/prmon.txt", flags, 0o600)
                text = prmon.header() + text
            os.write(one.table, text.encode())
        except OSError as error:
            self._host.journal.debug("prmon.txt not written", attempt=one.run.name, why=error)

    def _look(self, one: Watched, now: float) -> None:
        run = one.run
        if run.runs:
            over = limits.over_walltime(run.wall_s, run.grant.needs)
            if over and run.killed is None:
                run.kill(over, self._host.settings.grace_s)
            if now >= one.next_disk and not one.looks_at_disk:
                self._look_at_disk(one)
        if now >= one.next_log:
            one.next_log = now + LOG_S
            for parcel in run.parcels:
                self._host.shipper.ship(parcel)
        if run.told_state != run.state and now - run.since > TELL_AFTER_S:
            self._news()

    def _look_at_disk(self, one: Watched) -> None:
        if one.run.dir is None:
            return
        path, one.looks_at_disk, begin = one.run.dir.path, True, time.monotonic()

        def looked(used: Optional[int], error: Optional[BaseException]) -> None:
            one.looks_at_disk = False
            one.next_disk = time.monotonic() + limits.next_disk_look_s(time.monotonic() - begin)
            logs = sum(parcel.stream.file_size() for parcel in one.run.parcels)
            over = None if used is None else limits.over_disk(max(used, logs), one.run.grant.needs)
            if over and one.run.runs:
                one.run.kill(over, 0.0)

        self._host.crew.do(lambda: used_bytes(path), looked)


def end_all(runs: Iterable[Run], why: Killed, grace_s: float) -> None:
    """End all runs for one reason."""
    for run in list(runs):
        run.kill(why, grace_s)
