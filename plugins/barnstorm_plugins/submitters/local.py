"""`local`: pilots as processes of this machine, as many as its cores and memory hold.

A pilot outlives the harvester that started it. All that is known of it lies in its directory (`workdir`), so a
harvester that was killed finds each of its pilots again, and knows how those ended that ended meanwhile.
"""

import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from barnstorm.model.base import field as option
from barnstorm.model.shape import Shape

from . import base, machine
from .base import Capacity, Known, Logs, NotSubmitted, Place, Status, Submitted, WorkerOrder
from .exits import ExitWatch
from .processes import alive, boot_id, everything, family, left_behind, look, send
from .workdir import WorkDir

# A shell that was started writes its pid in milliseconds; one that has not by now is kept from ever doing so.
_START_S = 30.0


@dataclass
class LocalOptions(base.Options):
    """Options of `"submitter": {"type": "local"}`. What is left out is the machine's own."""

    cores: int | None = option(None, ge=1, doc="cores for all pilots together")
    memory_mib: int | None = option(None, ge=1, unit="MiB", doc="memory for all pilots together")
    gpus: int = option(0, ge=0, doc="GPUs for all pilots together")
    max: int | None = option(None, ge=0, doc="pilots at a time")
    walltime_s: int = option(7 * 86_400, ge=1, unit="s", doc="how long a pilot may stay at most")


class LocalSubmitter(base.Submitter):
    """Starts, follows and ends pilots on the machine it runs on. Needs Linux: /proc is what it believes.

    Cores, memory and `max` hold for all queues together that share a `files_dir`.
    """

    Options: ClassVar[type[base.Options]] = LocalOptions
    poll_s = 1.0
    absent_grace_s = 2.0

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._options = place.options if isinstance(place.options, LocalOptions) else LocalOptions()
        self._cores = machine.cores_for_pilots(self._options.cores)
        self._memory_mib = machine.memory_for_pilots(self._options.memory_mib)
        self._ended: set[str] = set()
        self._exits: ExitWatch | None = None
        self._node = socket.gethostname()

    # --- submitting ---

    def submit(self, orders: Sequence[WorkerOrder]) -> Mapping[str, Submitted | NotSubmitted]:
        """Start a pilot for each order that fits beside what runs. One that is there already is not started twice."""
        with self._alone():
            taken = self._taken()
            return {order.worker: self._submit_one(order, taken) for order in orders}

    def _submit_one(self, order: WorkerOrder, taken: list[Shape]) -> Submitted | NotSubmitted:
        place = self._dir(order.worker)
        there = place.owner()
        if there is not None and there.labels.get("key") == order.labels.get("key"):
            if not place.void():
                return self._found(place)
        elif there is not None and self._is_live(place):
            return NotSubmitted(f"{place.path} holds another worker of this name that still runs")
        capacity = self._left(taken)
        too_big = order.shape.fits(capacity.node)
        if too_big:
            return NotSubmitted(f"never fits this machine: {too_big}", for_ever=True)
        no_room = "full" if capacity.free is None else order.shape.fits(capacity.free)
        if no_room:
            return NotSubmitted(f"no room now: {no_room} ({capacity.why})")
        try:
            if there is not None:
                place.remove()
            place.prepare(order)
            pid = place.start(order)
        except OSError as error:
            return NotSubmitted(f"could not start a pilot in {place.path}: {error}")
        taken.append(order.shape)
        self._ended.discard(order.worker)
        process = look(pid)
        if process is not None and self._exits is not None:
            self._exits.add(process)
        return Submitted(str(pid), running=True, node=self._node)

    def capacity(self) -> Capacity:
        """This machine, and what its live pilots leave of it."""
        return self._left(self._taken())

    def _left(self, taken: Sequence[Shape]) -> Capacity:
        disk, walltime = machine.disk_mib(self.place.files_dir), self._options.walltime_s
        node = Shape(self._cores, self._memory_mib, walltime, disk, self._options.gpus)
        cores = self._cores - sum(shape.cores for shape in taken)
        memory = self._memory_mib - sum(shape.memory_mib for shape in taken)
        gpus = max(0, self._options.gpus - sum(shape.gpus for shape in taken))
        used = (
            f"{self._cores - cores} of {self._cores} cores, {self._memory_mib - memory:,} of {self._memory_mib:,} MiB"
        )
        why = f"{len(taken)} pilots here have {used}"
        if self._options.max is not None and len(taken) >= self._options.max:
            return Capacity(node, None, f"{len(taken)} of at most {self._options.max} pilots")
        free = Shape(cores, memory, walltime, disk, gpus) if cores > 0 and memory > 0 else None
        return Capacity(node, free, why)

    def _taken(self) -> list[Shape]:
        places = [place for place in self._dirs() if self._is_live(place)]
        return [owner.shape for place in places if (owner := place.owner()) is not None]

    def find(self, labels: Mapping[str, str]) -> Mapping[str, Submitted]:
        """The workers whose directories carry the labels. One whose pilot has not begun is kept from beginning."""
        found = {}
        with self._alone():
            for place in self._dirs(ended=True):
                owner = place.owner()
                if owner is None or any(owner.labels.get(name) != value for name, value in labels.items()):
                    continue
                if not place.void():
                    found[owner.worker] = self._found(place)
        return found

    def _found(self, place: WorkDir) -> Submitted:
        leader, owner = place.leader(), place.owner()
        key = owner.labels.get("key", "") if owner is not None else ""
        return Submitted(str(leader.pid) if leader else place.path.name, self._is_live(place), self._node, key)

    # --- following ---

    def poll(self, workers: Sequence[Known]) -> Mapping[str, Status]:
        """What became of each worker. A directory that cannot be read is no answer about its worker."""
        answer = {}
        for known in workers:
            with contextlib.suppress(OSError):
                answer[known.worker] = self._status(self._dir(known.worker))
        return answer

    def _status(self, place: WorkDir) -> Status:
        owner = place.owner()
        if owner is None:
            return Status("absent", message=f"{place.path} is not there any more")
        leader = place.leader()
        if leader is not None:
            _reap(leader.pid)
        if not self._is_live(place):
            place.void()
            return self._end(place)
        age = max(0.0, time.time() - owner.at)
        if leader is None:
            return Status("waiting", node=self._node, message="its process has just been made")
        self._keep_deadline(place)
        if self._exits is not None:
            self._exits.add(leader)
        return Status("running", node=self._node, started_ago_s=age)

    def _end(self, place: WorkDir) -> Status:
        """How a worker that does not run ended. Read after it was seen gone: the exit code is written before that."""
        self._sweep(place)
        code, cancelled, node = place.exit(), place.deadline() is not None, self._node
        if code is None:
            if cancelled:
                return Status("cancelled", node=node, message="killed")
            return Status("absent", node=node, message="its process is gone and left no exit code")
        number, at = code
        ago = max(0.0, time.time() - at)
        message = "" if number == 0 else _how(number)
        if cancelled:
            return Status("cancelled", number, node, message or "left when asked to", ended_ago_s=ago)
        return Status("failed" if number else "finished", number, node, message, ended_ago_s=ago)

    def _sweep(self, place: WorkDir) -> None:
        """Nothing of an ended worker may run on; its session tells what is its."""
        leader = place.leader()
        if leader is not None and place.path.name not in self._ended:
            send(signal.SIGKILL, left_behind(leader, everything()))
        self._ended.add(place.path.name)

    def logs(self, worker: Known, limit: int = 16_384) -> Logs:
        place = self._dir(worker.worker)
        return Logs(place.tail("stdout", limit), place.tail("stderr", limit))

    def listen(self, wake: Callable[[], None]) -> None:
        """`wake` is called when a pilot ends."""
        if self._exits is None:
            self._exits = ExitWatch(wake)

    # --- ending ---

    def cancel(self, workers: Sequence[Known], grace_s: float) -> None:
        """SIGTERM to each pilot; a `poll` after the grace time kills what is left of it."""
        for known in workers:
            place = self._dir(known.worker)
            if place.owner() is None or place.exit() is not None:
                continue
            asked = place.deadline()
            place.ask_to_end(min(float("inf") if asked is None else asked, time.time() + grace_s))
            leader = None if place.void() else place.leader()
            if leader is not None and asked is None and alive(leader):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(leader.pid, signal.SIGTERM)
            self._keep_deadline(place)

    def _keep_deadline(self, place: WorkDir) -> None:
        deadline, leader = place.deadline(), place.leader()
        if deadline is None or leader is None or time.time() < deadline or not alive(leader):
            return
        send(signal.SIGKILL, family(leader, everything()))

    def forget(self, workers: Iterable[str]) -> None:
        """Remove the directories of ended workers."""
        for worker in workers:
            place = self._dir(worker)
            if place.path.exists() and not self._is_live(place):
                place.remove()
            self._ended.discard(worker)

    def close(self) -> None:
        if self._exits is not None:
            self._exits.close()
            self._exits = None

    # --- directories ---

    def _dir(self, worker: str) -> WorkDir:
        return WorkDir(self.place.files_dir / worker)

    def _dirs(self, ended: bool = False) -> list[WorkDir]:
        """The directories there are; without `ended` those known to be over are left out unread."""
        if not self.place.files_dir.is_dir():
            return []
        with os.scandir(self.place.files_dir) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and (ended or entry.name not in self._ended)]
        return [self._dir(name) for name in names]

    def _is_live(self, place: WorkDir) -> bool:
        """Whether a worker runs, or is about to."""
        owner = place.owner()
        if owner is None or owner.boot != boot_id() or place.exit() is not None:
            return False
        leader = place.leader()
        if leader is not None:
            return alive(leader)
        return not place.is_void() and time.time() - owner.at < _START_S

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One submitter at a time in this `files_dir`, so that two queues do not fill the same room."""
        self.place.files_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
        with open(self.place.files_dir / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _reap(pid: int) -> None:
    """Take the status of a child that has ended; of a process that is not our child others will."""
    there = look(pid)
    if there is not None and there.state == "Z" and there.parent == os.getpid():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _how(number: int) -> str:
    """An exit code above 0 as a sentence; a shell adds 128 to the number of a signal."""
    try:
        return f"the pilot was ended by {signal.Signals(number - 128).name}"
    except ValueError:
        return f"the pilot ended with exit code {number}"
