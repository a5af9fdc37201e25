"""The harvester's settings: what they mean, their defaults, and the rules over several of them."""

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from barnstorm.datadir import default_data_dir
from barnstorm.model.base import field
from barnstorm.model.queue import NAME, Limits
from barnstorm.settingsfile import Loaded, load

PREFIX = "BARNSTORM_HARVESTER_"
FILE_VARIABLE = "BARNSTORM_HARVESTER_CONFIG"
DEFAULT_FILE = Path("/etc/barnstorm/harvester.toml")
# These speak to other parts of the system as well, so they carry no name of ours.
VARIABLES = {"server": "BARNSTORM_SERVER", "token_file": "BARNSTORM_TOKEN_FILE", "ca_file": "BARNSTORM_CA_FILE"}
TOLD = {
    "token_file": "`token` in `dir`",
    "name": "the host's name",
    "dir": "`$XDG_DATA_HOME/barnstorm/harvester`, that is `~/.local/share/barnstorm/harvester`",
}


@dataclass(frozen=True)
class QueueLimits:
    """Limits of queues that set none themselves; what a queue says goes before these, lower or higher."""

    workers: int = field(10_000, ge=0, doc="workers of a queue at most")
    waiting_workers: int = field(100, ge=0, doc="workers of a queue that wait in the batch system at most")
    new_workers_per_min: int = field(300, ge=0, doc="new workers of a queue in a minute at most")


@dataclass(frozen=True)
class Settings:
    """One field a setting. Values are checked by `load_settings`; made by hand, as tests do, they are as given."""

    server: str = field("http://127.0.0.1:8787", doc="the server's URL")
    token_file: Path | None = field(None, doc="file with the harvester's token; read again when the server refuses it")
    ca_file: Path | None = field(None, doc="certificates to trust instead of the system's, PEM")
    name: str = field("", pattern=f"^$|{NAME}", doc="the harvester's name, the one its token was made for")
    dir: Path = field(
        factory=lambda: default_data_dir() / "harvester", doc="its database, and workers' files; nobody else's to read"
    )
    on_stop: Literal["leave", "drain", "kill"] = field(
        "leave",
        doc="workers when it is stopped: leave them, end them politely and wait for it, or end them by force",
    )
    stop_grace_s: float = field(
        30.0, ge=0, le=86_400, unit="s", doc="what a worker has to end when asked to, before it is killed"
    )
    keep_s: float = field(86_400.0, ge=0, unit="s", doc="how long an ended worker's files are kept")
    silent_after_s: float = field(
        1800.0, ge=0, unit="s", doc="a worker unheard of for longer is not waited for when new ones are wanted"
    )
    allow_plain_http: bool = field(False, doc="send the token to other machines without TLS")
    log_level: Literal["debug", "info", "warning", "error"] = field("info", doc="least serious lines to write")
    limits: QueueLimits = field(factory=QueueLimits)

    @property
    def token_path(self) -> Path:
        return self.token_file or self.dir / "token"

    @property
    def harvester_name(self) -> str:
        return self.name or re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()).strip("-._")[:100] or "harvester"

    @property
    def default_limits(self) -> Limits:
        return Limits(self.limits.workers, self.limits.waiting_workers, self.limits.new_workers_per_min)


def load_settings(file: Path | None, environ: Mapping[str, str]) -> Loaded[Settings]:
    """Settings from a TOML file and the environment; BARNSTORM_HARVESTER_CONFIG names the file where `file` is None.

    Raises SettingsError with everything that is wrong, each with file and line or the variable.
    """
    named = environ.get(FILE_VARIABLE)
    file = file or (Path(named).expanduser() if named else None)
    if file is None and DEFAULT_FILE.is_file():
        file = DEFAULT_FILE
    return load(Settings, PREFIX, file, environ, variables=VARIABLES, ignored=[FILE_VARIABLE], check=_rules)


def _rules(settings: Settings) -> Iterator[tuple[str, str]]:
    """The rules over several fields."""
    parts = urlsplit(settings.server)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        yield "server", f'"{settings.server}" is not http://HOST:PORT or https://HOST:PORT'
    elif parts.scheme == "http" and not _is_loopback(host) and not settings.allow_plain_http:
        yield (
            "server",
            f'"{settings.server}" is another machine, and plain HTTP would show the token to the network: use https,'
            " or allow_plain_http = true in a trusted network",
        )
    if settings.ca_file is not None and not settings.ca_file.is_file():
        yield "ca_file", f"there is no file {settings.ca_file}"


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.[0-9]+){3}", host) is not None
