"""From a queue's description to something that submits: plugin, options of queue and lanes, directory."""

import os
from collections.abc import Callable
from pathlib import Path

from barnstorm.model.queue import QueueConfig, lanes_of
from barnstorm_plugins.submitters.base import Place, read_options

from .plugins import Plugins
from .provisioning import Target


def build(queue: QueueConfig, plugins: Plugins, harvester: str, root: Path, wake: Callable[[], None]) -> Target:
    """The target for a queue; its lanes all have the queue's own `type`. Raises NoSubmitter or InvalidOptions."""
    cls = plugins.get(str(queue.submitter.get("type", "")))
    options = read_options(cls.Options, queue.submitter)
    lanes = {
        lane.name: read_options(cls.Options, {**queue.submitter, **lane.submitter, "type": queue.submitter["type"]})
        for lane in lanes_of(queue)
    }
    files_dir = Path(os.path.expandvars(options.files_dir)).expanduser() if options.files_dir else root / "workers"
    place = Place(harvester, queue.name, options, files_dir.absolute())
    submitter = cls(place)
    submitter.listen(wake)
    return Target(queue, place, submitter, lanes)
