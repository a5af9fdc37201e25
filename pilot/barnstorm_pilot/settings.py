"""The pilot's settings: from its command line, else from the environment, else defaults. Wrong ones stop the start."""

import argparse
import os
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Optional

from .exits import MEANING
from .journal import LEVELS


class BadSetting(Exception):
    """A setting that is missing, unknown or wrong; the message names it and says what is allowed."""


@dataclass
class Settings:
    """What a pilot is told. None: found out from the node, or taken from the server's welcome."""

    server: str
    queue: str
    join_token: str
    worker: str = ""
    ca_file: Optional[str] = None
    cores: Optional[int] = None
    memory_mib: Optional[int] = None
    disk_mib: Optional[int] = None
    gpus: int = 0
    walltime_s: int = 86_400
    work_dir: str = ""
    idle_s: Optional[float] = None
    grace_s: float = 10.0
    connect_s: float = 60.0
    patience_s: float = 7200.0
    sample_s: float = 1.0
    log_limit_mib: int = 64
    cache_mib: int = 1024
    log_level: str = "info"


class _Option(NamedTuple):
    name: str
    kind: Any
    least: float
    env: str
    help: str


_OPTIONS = (
    _Option("server", str, 0, "BARNSTORM_SERVER", "the server's URL, http://HOST:PORT or https://HOST:PORT (required)"),
    _Option("queue", str, 0, "BARNSTORM_QUEUE", "the queue this pilot works for (required)"),
    _Option("join-token-file", str, 0, "BARNSTORM_JOIN_TOKEN_FILE", "the join token (or in BARNSTORM_JOIN_TOKEN)"),
    _Option("worker", str, 0, "BARNSTORM_WORKER", "the worker this pilot runs in, such as w88123 (default: none)"),
    _Option("ca-file", str, 0, "BARNSTORM_CA_FILE", "certificates to trust for https (default: the system's)"),
    _Option("cores", int, 1, "", "cores to give to jobs (default: those this process may use)"),
    _Option("memory-mib", int, 1, "", "memory to give to jobs, MiB (default: what limits and machine allow)"),
    _Option("disk-mib", int, 0, "", "disk to give to jobs, MiB (default: 90 %% of what is free at --work-dir)"),
    _Option("gpus", int, 0, "", "GPUs to give to jobs (default: 0)"),
    _Option("walltime-s", int, 1, "", "seconds until the batch system ends this worker (default: 86400)"),
    _Option("work-dir", str, 0, "", "where jobs run; $VARIABLES are expanded (default: the queue's, $TMPDIR, /tmp)"),
    _Option("idle-s", float, 0, "", "leave after this many seconds without work (default: what the server says)"),
    _Option("grace-s", float, 0, "", "seconds a payload gets between SIGTERM and SIGKILL (default: 10)"),
    _Option("connect-s", float, 0, "", "give up when the server is away this long at the start (default: 60)"),
    _Option("patience-s", float, 0, "", "give up when it is away this long and nothing runs (default: 7200)"),
    _Option("sample-s", float, 0.1, "", "seconds between two samples of a payload's processes (default: 1)"),
    _Option("log-limit-mib", int, 1, "", "bytes kept of each of a job's logs, MiB; the rest is dropped (default: 64)"),
    _Option("cache-mib", int, 0, "", "room for input files that jobs share, MiB (default: 1024)"),
    _Option("log-level", str, 0, "", f"the pilot's own log on stderr: {', '.join(LEVELS)} (default: info)"),
)  # fmt: skip
_KNOWN_ONLY_HERE = ("BARNSTORM_PILOT_FAULT",)


def variable(option: str) -> str:
    """The environment variable that stands for an option."""
    named = {one.name: one.env for one in _OPTIONS}[option]
    return named or "BARNSTORM_PILOT_" + option.upper().replace("-", "_")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadSetting(message)


def parser() -> argparse.ArgumentParser:
    """The command line, with every setting's default in its help."""
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANING.items())
    made = _Parser(
        prog="barnstorm-pilot",
        description="Barnstorm's pilot: checks this node, leases jobs from the server and runs them.",
        epilog="The join token is never given on the command line: other users could read it there.\n\nexit codes:\n"
        + codes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for option in _OPTIONS:
        kind = {int: "N", float: "SECONDS", str: "TEXT"}[option.kind]
        made.add_argument(f"--{option.name}", metavar=kind, help=f"{option.help} [{variable(option.name)}]")
    made.add_argument("--token-file-once", action="store_true", help="delete the token file after reading it")
    return made


def load(arguments: Optional[Sequence[str]], environ: MutableMapping[str, str]) -> Settings:
    """All settings. Takes the tokens out of `environ`. Raises BadSetting."""
    token = environ.pop("BARNSTORM_JOIN_TOKEN", "")
    told = vars(parser().parse_args(arguments))
    values: dict[str, Any] = {}
    for option in _OPTIONS:
        text = told[option.name.replace("-", "_")]
        where = f"--{option.name}"
        if text is None and environ.get(variable(option.name)):
            text, where = environ[variable(option.name)], variable(option.name)
        if text is not None:
            values[option.name.replace("-", "_")] = _value(option, text, where)
    _check_environment(environ)
    file = values.pop("join_token_file", None)
    values["join_token"] = token or _token(file, told["token_file_once"])
    for name in ("server", "queue"):
        if not values.get(name):
            raise BadSetting(f"--{name} is missing, and {variable(name)} is not set")
    if values.get("log_level", "info") not in LEVELS:
        raise BadSetting(f"--log-level: {values['log_level']!r} is none of {', '.join(LEVELS)}")
    return Settings(**values)


def _value(option: _Option, text: str, where: str) -> Any:
    if option.kind is str:
        return text
    try:
        value = option.kind(text)
    except ValueError:
        raise BadSetting(f"{where}: {text!r} is no {'whole number' if option.kind is int else 'number'}") from None
    if not option.least <= value < float("inf"):
        raise BadSetting(f"{where}: {text} is below {option.least:g}, or no number that can be used")
    return value


def _check_environment(environ: MutableMapping[str, str]) -> None:
    known: list[str] = [variable(option.name) for option in _OPTIONS] + list(_KNOWN_ONLY_HERE)
    for name in sorted(environ):
        if name.startswith("BARNSTORM_PILOT_") and name not in known:
            raise BadSetting(f"{name} is no setting of the pilot; barnstorm-pilot --help lists them")


def _token(path: Optional[str], once: bool) -> str:
    if not path:
        raise BadSetting("no join token: set BARNSTORM_JOIN_TOKEN_FILE (or BARNSTORM_JOIN_TOKEN)")
    try:
        with open(path, encoding="ascii") as file:
            token = file.read(65536).strip()
        if once:
            os.unlink(path)
    except (OSError, ValueError) as error:
        raise BadSetting(f"the join token file {path} cannot be used: {error}") from None
    if not token:
        raise BadSetting(f"the join token file {path} is empty")
    return token
