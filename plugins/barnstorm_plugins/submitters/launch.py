"""How a pilot is started, whatever the batch system: its command line and its environment.

BARNSTORM_SERVER           the server's address as the node sees it
BARNSTORM_JOIN_TOKEN_FILE  a file with the join token, mode 0600
BARNSTORM_QUEUE            the queue it works for
BARNSTORM_WORKER           the worker it runs in
BARNSTORM_CA_FILE          certificates to trust, where the system's do not do
"""

import os
from collections.abc import Mapping

from .base import WorkerOrder

# A pilot gets none of the harvester's own settings: a token file would be one. BARNSTORM_PILOT_… are meant for it.
_OURS = "BARNSTORM_"
_PILOTS = "BARNSTORM_PILOT_"


def pilot_arguments(order: WorkerOrder, work_dir: str) -> list[str]:
    """The pilot's options for a worker: what its slot has."""
    shape = order.shape
    options = {
        "--cores": shape.cores,
        "--memory-mib": shape.memory_mib,
        "--disk-mib": shape.disk_mib,
        "--gpus": shape.gpus,
        "--walltime-s": order.walltime_s,
        "--work-dir": work_dir,
    }
    if order.idle_s is not None:
        options["--idle-s"] = order.idle_s
    return [part for name, value in options.items() for part in (name, str(value))]


def pilot_variables(order: WorkerOrder, token_file: str) -> dict[str, str]:
    """The variables a pilot must find in its environment."""
    variables = {
        "BARNSTORM_SERVER": order.pilot.server_url or order.server_url,
        "BARNSTORM_JOIN_TOKEN_FILE": token_file,
        "BARNSTORM_QUEUE": order.queue,
        "BARNSTORM_WORKER": order.worker,
    }
    if order.ca_file:
        variables["BARNSTORM_CA_FILE"] = order.ca_file
    return variables


def without_own_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment to hand on: without the variables that speak to this process."""
    return {
        name: value for name, value in environment.items() if not name.startswith(_OURS) or name.startswith(_PILOTS)
    }
