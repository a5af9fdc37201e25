"""Why an attempt ended badly: one table of codes with meaning, blame and remedy, for code and docs alike."""

from dataclasses import dataclass
from typing import Literal

Blame = Literal["user", "site", "system"]


@dataclass(frozen=True)
class Fault:
    """A kind of failure. `blame` says who can mend it: only the user's own failures use up a task's retries."""

    code: str
    blame: Blame
    meaning: str
    remedy: str


_TABLE = [
    Fault("exit", "user", "the payload ended with an exit code other than 0", "read its log: jobctl logs JOB"),
    Fault(
        "signal",
        "user",
        "the payload was ended by a signal it did not get from the pilot",
        "read its log: jobctl logs JOB",
    ),
    Fault(
        "command_missing",
        "user",
        "the program could not be started",
        "check its name, and that it is there on the node",
    ),
    Fault("memory", "user", "the payload used more memory than it asked for", "ask for more: --memory"),
    Fault("walltime", "user", "the payload ran longer than it asked for", "ask for more: --walltime"),
    Fault("disk", "user", "the payload wrote more than the disk space it asked for", "ask for more: --disk"),
    Fault(
        "output_missing",
        "user",
        "an output file was not there at the end",
        "check --output against what the payload writes",
    ),
    Fault(
        "output_bad", "user", "an output is no regular file, or leads out of the work directory", "write a plain file"
    ),
    Fault("bad_placeholder", "user", "a placeholder could not be filled", "check the task's placeholders"),
    Fault("killed", "user", "killed by a user", ""),
    Fault(
        "stage_in",
        "site",
        "an input could not be brought to the node",
        "jobctl show JOB names the input; it is tried again",
    ),
    Fault("input_missing", "user", "an input is not there", "check --input"),
    Fault("stage_out", "site", "an output could not be stored", "it is tried again"),
    Fault(
        "work_dir",
        "site",
        "the work directory could not be made or used",
        "see the queue's pilot.work_dir and the node's disk",
    ),
    Fault("disk_full", "site", "the node's disk is full", "it is tried elsewhere"),
    Fault("walltime_left", "site", "the worker's own time ended before the job's", "it is tried again"),
    Fault("preempted", "site", "the batch system took the worker away", "it is tried again"),
    Fault("lost", "system", "the pilot was not heard of for a whole lease", "it is tried again"),
    Fault("not_held", "system", "the pilot no longer knew of the attempt", "it is tried again"),
    Fault("pilot", "system", "the pilot itself failed", "its log: jobctl worker show WORKER"),
    Fault("upstream", "user", "a task it waits for did not end well", "mend that task, then jobctl retry"),
]

FAULTS: dict[str, Fault] = {fault.code: fault for fault in _TABLE}
