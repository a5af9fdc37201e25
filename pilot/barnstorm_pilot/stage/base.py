"""The contract of a stager: it brings inputs of some source schemes to a path below the work directory."""

import abc
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

from barnstorm.api.pilot import PilotApi
from barnstorm.model.collection import FileIn


class StageFault(Exception):
    """An input or output that could not be staged. `fault` is a code of `faults.FAULTS`."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault, self.message = fault, message


class Abandoned(Exception):
    """The attempt ended meanwhile: nobody waits for this any more."""


@dataclass
class StageContext:
    """The attempt that files are staged for."""

    api: PilotApi
    attempt: str
    owner: str
    work: str
    cache: Any
    given_up: threading.Event
    patience_s: float = 600.0

    def check(self) -> None:
        """Raise Abandoned when the attempt was killed or taken away."""
        if self.given_up.is_set():
            raise Abandoned(self.attempt)


class Stager(abc.ABC):
    """Brings inputs. One object serves all attempts of a pilot, from several threads."""

    schemes: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def fetch(self, file: FileIn, target: str, context: StageContext) -> None:
        """Bring `file` to `target`, an absolute path below the work directory whose parent exists.

        Raises StageFault, Abandoned, OSError (a full or broken disk).
        """
