"""Calling plugins, which are foreign code: whatever goes wrong in one is no answer, and hurts nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from barnstorm_plugins.submitters.base import SubmitterBusy

from .journal import Journal


@contextmanager
def asking(journal: Journal, call: str) -> Iterator[None]:
    """Around a call that asks a submitter something: any error of it leaves as SubmitterBusy.

    Not for `submit`, where an error that nobody foresaw leaves open what happened.
    """
    try:
        yield
    except SubmitterBusy:
        raise
    except Exception as error:
        journal.crash("an error in the submitter", call=call)
        raise SubmitterBusy(f"{type(error).__name__}: {error}") from error
