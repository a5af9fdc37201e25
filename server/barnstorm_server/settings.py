"""The server's settings: what they mean, their defaults, and the rules over several of them."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from barnstorm.datadir import VARIABLE, default_data_dir
from barnstorm.model.base import field
from barnstorm.settingsfile import Loaded, load

PREFIX = "BARNSTORM_SERVER_"
FILE_VARIABLE = "BARNSTORM_SERVER_CONFIG"
VARIABLES = {"data_dir": VARIABLE}
TOLD = {"data_dir": "`$XDG_DATA_HOME/barnstorm`, that is `~/.local/share/barnstorm`"}
DATABASE_FILE = "barnstorm.db"


@dataclass(frozen=True)
class Settings:
    """One field a setting. Values are checked by `load_settings`; made by hand, as tests do, they are as given."""

    data_dir: Path = field(
        factory=default_data_dir, doc="database, keys, tokens, logs and blobs; nobody else's to read"
    )
    host: str = field("127.0.0.1", doc="address to listen on; `0.0.0.0` or `::` for all")
    port: int = field(8787, ge=0, le=65535, doc="TCP port; 0: any free one: see `server.url` in the data directory")
    database_url: str = field(
        "", doc="`postgresql+psycopg://USER@HOST/DATABASE`; none: SQLite in `barnstorm.db` of the data directory"
    )
    tls_cert: Path | None = field(None, doc="PEM file of the certificate and its chain; read at the start")
    tls_key: Path | None = field(None, doc="PEM file of the certificate's key")
    allow_plain_http: bool = field(
        False,
        doc="listen without TLS beyond this machine: behind a proxy that does it, or in a trusted network",
    )
    public_url: str = field("", doc="the address that pilots and users use, where it is not that of `host` and `port`")
    heartbeat_s: float = field(10.0, ge=0.05, le=3600, unit="s", doc="how often a pilot is heard")
    lease_s: float = field(
        60.0,
        ge=1,
        le=86_400,
        unit="s",
        doc="a pilot unheard for longer loses its jobs; never less than 4 heartbeats",
    )
    pilot_idle_s: float = field(
        60.0,
        ge=0,
        le=86_400,
        unit="s",
        doc="a pilot leaves after so long without work, unless its queue says another time",
    )
    max_body_mib: int = field(16, ge=1, le=1024, unit="MiB", doc="largest JSON body of a request, such as a task")
    max_upload_mib: int = field(2048, ge=1, le=1_048_576, unit="MiB", doc="largest input or output file")
    writer_queue: int = field(
        2000, ge=1, le=1_000_000, doc="writes that may wait; above it callers are told to come again"
    )
    queue_dir: Path | None = field(
        None, doc="folder of queue files (`*.json`), applied at each start; a wrong one is told and left out"
    )
    log_level: Literal["debug", "info", "warning", "error"] = field("info", doc="least serious lines to write")
    log_format: Literal["text", "json"] = field("text", doc="lines for people, or one JSON object a line")
    default_token_ttl_s: int = field(
        30 * 86_400, ge=60, le=2 * 365 * 86_400, unit="s", doc="life of a token that is asked for without a time"
    )
    min_free_disk_mib: int = field(
        256,
        ge=0,
        unit="MiB",
        doc="with less free in the data directory, uploads and logs are refused",
    )
    shutdown_s: int = field(10, ge=1, le=3600, unit="s", doc="what open requests have to end when the server stops")

    @property
    def database(self) -> str:
        """The URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / DATABASE_FILE}"

    @property
    def tls(self) -> bool:
        return self.tls_cert is not None


def load_settings(file: Path | None, environ: Mapping[str, str]) -> Loaded[Settings]:
    """Settings from a TOML file and the environment; BARNSTORM_SERVER_CONFIG names the file where `file` is None.

    Raises SettingsError with everything that is wrong, each with file and line or the variable.
    """
    named = environ.get(FILE_VARIABLE)
    file = file or (Path(named).expanduser() if named else None)
    return load(Settings, PREFIX, file, environ, variables=VARIABLES, ignored=[FILE_VARIABLE], check=_rules)


def _rules(settings: Settings) -> Iterator[tuple[str, str]]:
    """The rules over several fields."""
    if settings.lease_s < 2 * settings.heartbeat_s:
        yield "lease_s", f"{settings.lease_s:g} is less than two heartbeats of {settings.heartbeat_s:g} (seconds)"
    for one, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        file = getattr(settings, one)
        if file is not None and getattr(settings, other) is None:
            yield one, f"is set, but {other} is not: TLS needs both"
        elif file is not None and not file.is_file():
            yield one, f"there is no file {file}"
    if not is_loopback(settings.host) and not settings.tls and not settings.allow_plain_http:
        yield (
            "host",
            f'"{settings.host}" is not only this machine, and plain HTTP would show every token to the network: set '
            "tls_cert and tls_key, or allow_plain_http = true where a proxy does TLS",
        )
    if settings.public_url and not settings.public_url.startswith(("http://", "https://")):
        yield "public_url", f'"{settings.public_url}" does not begin with http:// or https://'
    if settings.queue_dir is not None and not settings.queue_dir.is_dir():
        yield "queue_dir", f"there is no folder {settings.queue_dir}"


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
