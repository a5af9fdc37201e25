"""Storing an attempt's outputs. They become visible only with its report."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from barnstorm.api.errors import ApiError, Stale, Unreachable
from barnstorm.model.pilots import OutputFile
from barnstorm.model.task import FileOut
from barnstorm.model.template import fill

from ..workdir import PathEscapes, open_regular
from .base import Abandoned, StageContext, StageFault
from .retry import with_patience


def store(outputs: Iterable[FileOut], values: Mapping[str, Any], context: StageContext) -> list[OutputFile]:
    """Upload each output. Raises StageFault, Abandoned, OSError, UnknownPlaceholder.

    All are looked at before the first is uploaded: a missing one is told at once.
    """
    found = []
    try:
        for out in outputs:
            name = fill(out.name, dict(values))
            try:
                found.append((name, open_regular(context.work, name)))
            except FileNotFoundError:
                if not out.optional:
                    raise StageFault(
                        "output_missing", f"output {name} was not there at the end{_hint(context.work)}"
                    ) from None
            except (PathEscapes, OSError) as error:
                raise StageFault("output_bad", f"output {name}: {error}") from None
        return [_upload(name, fd, context) for name, fd in found]
    finally:
        for _, fd in found:
            os.close(fd)


def _hint(work: str) -> str:
    """What is there instead, for whoever mistyped a name."""
    try:
        there = sorted(os.listdir(work))
    except OSError:
        return ": the payload removed its work directory"
    shown = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
    return f"; the work directory holds {shown}" if there else "; the work directory is empty"


def _upload(name: str, fd: int, context: StageContext) -> OutputFile:
    def put() -> OutputFile:
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, "rb", closefd=False) as file:
            digest, size = context.api.connection.upload(file, context.attempt)
        return OutputFile(name, digest, size)

    try:
        return with_patience(put, context)
    except Stale:
        raise Abandoned(context.attempt) from None
    except (ApiError, Unreachable) as error:
        raise StageFault("stage_out", f"output {name}: {error}") from None
