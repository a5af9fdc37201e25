"""The contract between a harvester and a submitter: the plugin that drives one kind of batch system.

A submitter says what it did and what it saw, never what it guesses. The harvester decides how many workers there are,
keeps them in its own database and judges what a missing answer means; a submitter keeps nothing that it could not find
again. Three words carry the weight:

* **For now** (`SubmitterBusy`, `NotSubmitted(for_ever=False)`): nothing was submitted; the same may work later.
* **For ever** (`SubmitterRefused`, `NotSubmitted(for_ever=True)`): nothing was submitted; the same never will be.
* **Unknown**: there was no answer, or one that cannot be understood. It is never "failed" and never "absent", and it is
  the default: a worker that an answer leaves out is unknown.

Any other exception means that the outcome is unknown: after such a `submit` the harvester asks `find` before it submits
that worker again.
"""

import abc
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import pydantic

from barnstorm.model.base import Spec
from barnstorm.model.base import field as option
from barnstorm.model.queue import PilotSettings
from barnstorm.model.shape import Shape

GROUP = "barnstorm.submitters"


class SubmitterBusy(Exception):
    """The batch system takes or tells nothing now: come again later. The call changed nothing."""


class SubmitterRefused(Exception):
    """The batch system will always refuse this: somebody has to mend something. The call changed nothing."""


class InvalidOptions(ValueError):
    """A queue's `submitter` block is wrong: says which field, what stood there, and what is allowed."""

    def __init__(self, field: str, value: object, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.value, self.message = field, value, message


@dataclass
class Options(Spec):
    """What every queue's `submitter` block may say. A submitter adds its own in a subclass."""

    type: str = ""
    poll_s: float | None = option(None, ge=0.05, le=3600, unit="s", doc="how often workers are looked at")
    files_dir: str = option("", max_length=4096, doc="where workers' files lie; empty: below the harvester's directory")
    note: str = ""


AnyOptions = TypeVar("AnyOptions", bound=Options)


def read_options(cls: type[AnyOptions], block: Mapping[str, Any]) -> AnyOptions:
    """A `submitter` block as the options it stands for. Raises InvalidOptions for the first thing that is wrong."""
    try:
        return pydantic.TypeAdapter(cls).validate_json(json.dumps(block), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["submitter", *(str(part) for part in first["loc"])])
        what = first["msg"]
        if first["type"] == "unexpected_keyword_argument":
            what = f"is no option of this submitter; there are: {', '.join(sorted(one.name for one in fields(cls)))}"
        raise InvalidOptions(where, first.get("input"), what) from None


@dataclass(frozen=True)
class Place:
    """What one submitter object serves: one queue of one harvester. `options` are the queue's, without any lane's."""

    harvester: str
    queue: str
    options: Options
    files_dir: Path

    def labels(self) -> dict[str, str]:
        """What marks every worker of this queue in the batch system."""
        return {"harvester": self.harvester, "queue": self.queue}


# What a worker is given beyond its shape's walltime, for its pilot to start and the first job to be fetched.
START_S = 300


@dataclass(frozen=True)
class WorkerOrder:
    """One worker to submit. The batch system must keep `labels` with it, so that `find` finds it again.

    `options` are the queue's with the lane's laid over. `join_token` is a secret: it travels in a file with mode 0600
    or the batch system's own secrets, never on a command line, in an environment that others can read, or in a log.
    `ca_file` holds certificates to trust, by its name on the harvester's machine.
    """

    worker: str
    queue: str
    lane: str
    shape: Shape
    options: Options
    labels: Mapping[str, str]
    server_url: str
    join_token: str = field(repr=False)
    ca_file: str = ""
    pilot: PilotSettings = field(default_factory=PilotSettings)
    idle_s: int | None = None

    @property
    def walltime_s(self) -> int:
        """What to ask the batch system for: a pilot must begin before it can take a job of the whole walltime."""
        return self.shape.walltime_s + START_S


@dataclass(frozen=True)
class Submitted:
    """The batch system has the worker, under `batch_id`. `running`: it is known to run already.

    In an answer of `find`, `key` is the label of that name (a worker's id may come again, its key never does).
    """

    batch_id: str
    running: bool = False
    node: str = ""
    key: str = ""


@dataclass(frozen=True)
class NotSubmitted:
    """The batch system certainly does not have the worker. `why` is a sentence for a person, in its own words."""

    why: str
    for_ever: bool = False


@dataclass(frozen=True)
class Known:
    """A worker as the harvester knows it. `batch_id` is empty where the answer to its submission was lost."""

    worker: str
    batch_id: str
    state: str = "submitted"


Word = Literal["waiting", "running", "finished", "failed", "cancelled", "absent", "unknown"]
Cause = Literal["", "walltime", "memory", "preempted", "node", "batch"]


@dataclass(frozen=True)
class Status:
    """What the batch system says of one worker.

    `finished`, `failed` and `cancelled` need its positive word (or the worker's own exit code). `absent` means: it
    answered in full, and does not have this worker; the harvester decides what that means, and not after one answer.
    `unknown` means: no answer about this worker; its last state stands. `cause` tells ends apart that are no fault
    of the worker; `message` is a sentence for a person: why it waits, or how it ended.
    """

    word: Word
    exit_code: int | None = None
    node: str = ""
    message: str = ""
    cause: Cause = ""
    started_ago_s: float | None = None
    ended_ago_s: float | None = None


@dataclass(frozen=True)
class Capacity:
    """What a place can take. `node` is the largest worker that can ever run there, `free` what it takes now."""

    node: Shape
    free: Shape | None
    why: str = ""


@dataclass(frozen=True)
class Logs:
    """The end of a worker's own output (not of its jobs)."""

    stdout: str = ""
    stderr: str = ""


class Submitter(abc.ABC):
    """Drives one batch system for one queue. The entry-point group `barnstorm.submitters` names the classes there are.

    A harvester makes one object per queue and calls it from one thread at a time, so a submitter needs no locks of its
    own unless it starts threads. Every call must return: what can hang (a command, a connection) has a time limit of
    its own, after which the call raises SubmitterBusy. Calls are bulk calls: one question to the batch system for all
    workers, not one each. The object may be thrown away and made anew at any time (a changed queue, a restart), so
    whatever must outlive it is in the batch system or below `place.files_dir`.

    `__init__` may raise InvalidOptions where options contradict each other; it does not talk to the batch system.
    """

    Options: ClassVar[type[Options]] = Options
    poll_s: ClassVar[float] = 60.0
    """How often workers are looked at where the queue does not say."""
    absent_grace_s: ClassVar[float] = 300.0
    """How long a worker must be absent, in at least two answers, before it is lost."""
    visible_after_s: ClassVar[float] = 0.0
    """How long after a submission `find` may still fail to see it."""
    max_batch: ClassVar[int] = 100
    """How many orders one `submit` takes at most."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @abc.abstractmethod
    def submit(self, orders: Sequence[WorkerOrder]) -> Mapping[str, Submitted | NotSubmitted]:
        """Submit workers; the answer says for each worker id what became of it.

        Guarantees: a worker answered `Submitted` is in the batch system, with its labels; one answered `NotSubmitted`
        is not and will not be. Of a worker that the answer leaves out nothing is known, and `find` will be asked.
        Raises SubmitterBusy or SubmitterRefused when none of the batch was submitted.
        """

    @abc.abstractmethod
    def poll(self, workers: Sequence[Known]) -> Mapping[str, Status]:
        """What the batch system says of these workers, by worker id. One left out is unknown.

        Raises SubmitterBusy when there was no answer at all: every worker is unknown then. An empty or broken answer is
        no answer. An end, once told, is told again until `forget`, as far as the batch system remembers it.
        """

    @abc.abstractmethod
    def cancel(self, workers: Sequence[Known], grace_s: float) -> None:
        """Ask the batch system to end these workers: politely, and by force after `grace_s`. Does not wait for it.

        Cancelling one that has ended or is not there is no error. How it ended is for `poll` to tell. Raises
        SubmitterBusy when the asking failed; the harvester asks again.
        """

    @abc.abstractmethod
    def find(self, labels: Mapping[str, str]) -> Mapping[str, Submitted]:
        """All workers in the batch system that carry these labels, by worker id, ended ones that it remembers included.

        The answer is complete for all that was submitted more than `visible_after_s` ago: a worker not in it was not
        submitted, and never will be by a submission begun before this call. Raises SubmitterBusy rather than leave
        anything out.
        """

    def logs(self, worker: Known, limit: int = 16_384) -> Logs:
        """The last `limit` bytes of a worker's stdout and stderr, as far as they can be had now; empty where not."""
        return Logs()

    def capacity(self) -> Capacity | None:
        """What the place can still take; None where only submitting tells."""
        return None

    def forget(self, workers: Iterable[str]) -> None:
        """Remove what is kept of these ended workers: files, secrets. One that is not there is no error."""
        return None

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` (from any thread; it returns at once) when `poll` would tell something new. Polling goes on."""
        return None

    def close(self) -> None:
        """Let go of connections and threads. Workers go on."""
        return None
