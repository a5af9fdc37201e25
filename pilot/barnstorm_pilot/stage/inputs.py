"""Bringing all inputs of an attempt to its work directory."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from barnstorm.model.collection import FileIn, file_name
from barnstorm.model.template import fill

from ..workdir import PathEscapes, confined, make_parents
from .base import StageContext, StageFault, Stager
from .blob import BlobStager
from .site import SiteStager
from .task import TaskStager


def stagers() -> dict[str, Stager]:
    """The stagers there are, by scheme."""
    made: list[Stager] = [BlobStager(), SiteStager(), TaskStager()]
    return {scheme: stager for stager in made for scheme in stager.schemes}


def bring(
    files: Iterable[FileIn], values: Mapping[str, Any], known: Mapping[str, Stager], context: StageContext
) -> None:
    """Stage each input in turn. Raises StageFault (which names the input), Abandoned, OSError, UnknownPlaceholder."""
    for file in files:
        context.check()
        scheme = file.source.partition(":")[0]
        name = fill(target_name(file), dict(values))
        if scheme not in known:
            raise StageFault("stage_in", f"this pilot cannot bring {file.source[:200]}: no stager for {scheme!r}")
        try:
            target = confined(context.work, name)
            make_parents(context.work, target)
            known[scheme].fetch(file, target, context)
        except (FileExistsError, PathEscapes) as error:
            raise StageFault("input_missing", f"input {name}: {error}; two inputs may have the same name") from None
        except StageFault as fault:
            raise StageFault(fault.fault, f"input {name}: {fault.message}") from None
        if file.executable and not os.path.islink(target):
            os.chmod(target, 0o700)


def target_name(file: FileIn) -> str:
    """Where an input lies below the work directory. Outputs of a task get a directory: the name, or the task's id."""
    if file.source.startswith("task:") and not file.name:
        return file.source[len("task:") :].partition("/")[0]
    return file_name(file)
