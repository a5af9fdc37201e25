"""The harvester's settings: a TOML file, and environment variables over it. Whatever is wrong stops the start.

Every setting has a default. `NAMES` is the whole list: the example file and the documentation are checked against it.
"""

import os
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydantic

from barnstorm.model.base import Spec, field
from barnstorm.model.queue import NAME, Limits

from .journal import LEVELS

DEFAULT_FILE = Path("/etc/barnstorm/harvester.toml")
ON_STOP = ("leave", "drain", "kill")
_PREFIX = "BARNSTORM_HARVESTER_"
# These speak to other parts of the system as well, so they carry no name of ours.
_SHARED = {"server": "BARNSTORM_SERVER", "token_file": "BARNSTORM_TOKEN_FILE", "ca_file": "BARNSTORM_CA_FILE"}
_NOT_SETTINGS = ("BARNSTORM_HARVESTER_CONFIG",)


class InvalidSetting(Exception):
    """A setting is unknown or wrong: says where it stands and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why


def _data_home() -> str:
    return os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")


@dataclass
class Settings(Spec):
    """All there is to set. Paths may begin with `~`."""

    server: str = field("http://127.0.0.1:8470", doc="the server's URL")
    token_file: str = field("", doc="a file with the harvester's token; empty: DIR/token")
    ca_file: str = field("", doc="certificates to trust instead of the system's")
    name: str = field("", pattern=r"^$|" + NAME[1:], doc="the harvester's name; empty: the host's")
    dir: str = field("", doc="where it keeps its database and workers' files; empty: below the user's data directory")
    on_stop: str = field("leave", doc="what becomes of workers when it is stopped: leave, drain or kill")
    stop_grace_s: float = field(30.0, ge=0, le=86_400, doc="how long workers may take to end when asked to")
    keep_s: float = field(86_400.0, ge=0, doc="how long an ended worker's files are kept")
    silent_after_s: float = field(1800.0, ge=0, doc="a worker unknown for longer is not waited for any more")
    log_level: str = field("info", doc="debug, info, warning or error")
    allow_http: bool = field(False, doc="send the token over plain HTTP to other machines too")
    limits: Limits = field(
        factory=lambda: Limits(workers=10_000, waiting_workers=100, new_workers_per_min=300),
        doc="limits of queues that set none themselves",
    )

    @property
    def path(self) -> Path:
        return Path(self.dir or os.path.join(_data_home(), "barnstorm", "harvester")).expanduser().absolute()

    @property
    def token_path(self) -> Path:
        return Path(self.token_file).expanduser() if self.token_file else self.path / "token"

    @property
    def harvester_name(self) -> str:
        return self.name or re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:100] or "harvester"


NAMES = tuple(one.name for one in fields(Settings))


def variable_of(name: str) -> str:
    """The environment variable that sets a setting. `limits` has one for each limit."""
    return _SHARED.get(name, _PREFIX + name.upper())


def load(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `file` (or the one the environment or the system names) and the environment.

    Raises InvalidSetting naming file and line, or the variable.
    """
    named = environment.get("BARNSTORM_HARVESTER_CONFIG")
    path = file or (Path(named) if named else None)
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    text, told = _read(path) if path is not None else ("", {})
    variables = _from_environment(environment)
    where = {name: f"{path}:{_line(text, name)}" for name in told}
    where.update({name: variable for name, (variable, _) in variables.items()})
    told.update({name: value for name, (_, value) in variables.items()})
    limits = {**_own_limits(), **told["limits"]} if isinstance(told.get("limits"), dict) else None
    try:
        settings = pydantic.TypeAdapter(Settings).validate_python(
            told if limits is None else {**told, "limits": limits}
        )
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        parts = [str(part) for part in first["loc"]]
        place = where.get(parts[0], str(path))
        if len(parts) > 1 and place.startswith(f"{path}:"):
            place = f"{path}:{_line(text, parts[-1])}"
        raise InvalidSetting(place, _said(".".join(parts), first)) from None
    _check(settings, where, path)
    return settings


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(str(path), f"cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(error))
        line = found[1] if found and found[1] else len(text.splitlines())
        raise InvalidSetting(f"{path}:{line}", f"is no TOML: {str(error).split(' (at ')[0]}") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    known = {variable_of(name): name for name in NAMES if name != "limits"}
    found: dict[str, tuple[str, Any]] = {}
    for variable, value in sorted(environment.items()):
        if variable in known and value != "":
            found[known[variable]] = (variable, value)
        elif variable.startswith(_PREFIX) and variable not in known and variable not in _NOT_SETTINGS:
            raise InvalidSetting(variable, f"is no setting; there are: {', '.join(known)}")
    return found


def _own_limits() -> dict[str, Any]:
    own = Settings().limits
    return {one.name: getattr(own, one.name) for one in fields(Limits)}


def _said(name: str, error: Any) -> str:
    if error["type"] == "unexpected_keyword_argument":
        return f"{name} is no setting; there are: {', '.join(NAMES)}"
    if name == "name":
        return f"name = {error['input']!r}: letters, digits and . _ - only, up to 100"
    return f"{name} = {error['input']!r}: {error['msg']}"


def _line(text: str, name: str) -> int:
    """The line on which a setting of the file stands."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[\s*{re.escape(name)}\s*\]|[\"']?{re.escape(name)}[\"']?\s*[=.])", line):
            return number
    return 1


def _check(settings: Settings, where: Mapping[str, str], path: Path | None) -> None:
    for name, allowed in (("on_stop", ON_STOP), ("log_level", LEVELS)):
        value = getattr(settings, name)
        if value not in allowed:
            raise InvalidSetting(where.get(name, str(path)), f"{name} = {value!r}: must be one of {', '.join(allowed)}")
    parts = urlsplit(settings.server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSetting(
            where.get("server", "server"), f"server = {settings.server!r}: must be http(s)://HOST[:PORT]"
        )
    loopback = parts.hostname in ("localhost", "::1") or parts.hostname.startswith("127.")
    if parts.scheme == "http" and not loopback and not settings.allow_http:
        raise InvalidSetting(
            where.get("server", "server"),
            f"server = {settings.server!r}: the token would travel unencrypted; use https, or set allow_http",
        )
