"""The environment of a payload, written from nothing: docs/payload-environment.md tells users what they find in it."""

from collections.abc import Mapping, Sequence

from barnstorm.model.ids import AttemptId
from barnstorm.model.shape import Shape
from barnstorm.model.template import fill

# From the pilot's own environment: what says where programs lie, how to speak and how to reach the world.
KEPT = (
    "PATH", "LD_LIBRARY_PATH", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "SHELL",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# Libraries that start a thread per core of the machine unless they are told not to.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def base(pilot: Mapping[str, str]) -> dict[str, str]:
    """What every payload of this pilot gets of the pilot's environment."""
    kept = {name: value for name, value in pilot.items() if name in KEPT or name.startswith("LC_")}
    kept.setdefault("PATH", DEFAULT_PATH)
    kept.setdefault("LANG", "C.UTF-8")
    return kept


def build(
    base_env: Mapping[str, str],
    queue_env: Mapping[str, str],
    task_env: Mapping[str, str],
    values: Mapping[str, object],
    attempt: AttemptId,
    needs: Shape,
    gpus: Sequence[str],
    places: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment; the later overrides the earlier: node, pilot's defaults, queue, task, BARNSTORM_….

    `places` are the variables that name directories. Raises UnknownPlaceholder.
    """
    env = dict(base_env)
    env.update(places)
    env.update(dict.fromkeys(THREADS, str(needs.cores)))
    # Also when it is empty: a job that asked for none must not find its neighbour's.
    env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    env.update(queue_env)
    for name, text in task_env.items():
        env[name] = fill(text, dict(values)) if "{" in text or "}" in text else text
    env["BARNSTORM_JOB_ID"] = str(attempt.job)
    env["BARNSTORM_ATTEMPT"] = str(attempt)
    env["BARNSTORM_ATTEMPT_NUMBER"] = str(attempt.number)
    env["BARNSTORM_TASK_ID"] = str(attempt.task)
    env["BARNSTORM_INDEX"] = str(attempt.index)
    env["BARNSTORM_CORES"] = str(needs.cores)
    env["BARNSTORM_MEMORY_MIB"] = str(needs.memory_mib)
    env["BARNSTORM_DISK_MIB"] = str(needs.disk_mib)
    env["BARNSTORM_WALLTIME_S"] = str(needs.walltime_s)
    env["BARNSTORM_WORK_DIR"] = places["HOME"]
    return env


def directories(work: str, tmp: str) -> dict[str, str]:
    """The variables that name the job's directories."""
    return {"HOME": work, "PWD": work, "TMPDIR": tmp, "TMP": tmp, "TEMP": tmp}
