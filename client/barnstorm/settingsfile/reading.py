"""Filling a settings class from its file and the environment, and telling all that is wrong with them."""

import dataclasses
import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, Generic, Optional, TypeVar

from .fields import Setting, build, settings_of
from .lines import key_lines, line_of
from .value import Wrong, from_text, from_toml, shown

T = TypeVar("T")

# A rule over several fields: gives (field, what is wrong) pairs.
Check = Callable[[T], Iterable[tuple[str, str]]]


@dataclasses.dataclass(frozen=True)
class Loaded(Generic[T]):
    """Settings, and for each field the place that its value is from: `FILE:12`, `environment: NAME` or `default`."""

    settings: T
    places: dict[str, str]


class SettingsError(Exception):
    """Settings that a program does not start with; one line a problem: `PLACE: SETTING: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(
    cls: type[T],
    prefix: str,
    file: Optional[Path],
    environ: Mapping[str, str],
    *,
    variables: Optional[Mapping[str, str]] = None,
    ignored: Iterable[str] = (),
    check: Optional[Check[T]] = None,
) -> Loaded[T]:
    """Read the settings. Raises SettingsError with all that is wrong or unknown.

    `prefix` begins the variables; `variables` names those that do not follow it ({field: variable}); `ignored` are
    variables with the prefix that are no settings.
    """
    reading = _Reading(cls, prefix, variables or {})
    if file is not None:
        reading.read_file(file)
    reading.read_environment(environ, set(ignored))
    if reading.problems:
        raise SettingsError(reading.problems)
    settings = build(cls, reading.values)
    places = {name: reading.places.get(name, "default") for name in reading.known}
    broken = [_told(places[name], name, why) for name, why in (check(settings) if check else ())]
    if broken:
        raise SettingsError(broken)
    return Loaded(settings, places)


def variable_of(name: str, prefix: str, variables: Mapping[str, str]) -> str:
    """The environment variable of a setting."""
    return variables.get(name, prefix + name.upper().replace(".", "_"))


class _Reading:
    """Values and places as they come in, and everything that is wrong with them."""

    def __init__(self, cls: type, prefix: str, variables: Mapping[str, str]) -> None:
        self.prefix = prefix
        self.known = settings_of(cls)
        self.variables = {variable_of(name, prefix, variables): name for name in self.known}
        self.values: dict[str, Any] = {}
        self.places: dict[str, str] = {}
        self.problems: list[str] = []

    def read_file(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}")
            return
        tomllib = importlib.import_module("tomllib")
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.problems.append(_syntax_problem(file, text, error))
            return
        lines = key_lines(text)
        for name, value in self._single(document, ""):
            place = f"{file}:{line_of(lines, name)}"
            if name not in self.known:
                is_table = any(known.startswith(name + ".") for known in self.known)
                why = f"{shown(value)} is not a table" if is_table else f"no such setting{_meant(name, self.known)}"
                self.problems.append(_told(place, name, why))
                continue
            self._take(name, place, from_toml, value)
            if isinstance(self.values.get(name), Path):
                self.values[name] = file.absolute().parent / self.values[name]

    def _single(self, table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        """What a table and the tables in it hold, by dotted names, as far as there are settings of such names."""
        for key, value in table.items():
            name = prefix + key
            if isinstance(value, dict) and any(known.startswith(name + ".") for known in self.known):
                yield from self._single(value, name + ".")
            else:
                yield name, value

    def read_environment(self, environ: Mapping[str, str], ignored: Iterable[str]) -> None:
        for variable in sorted(environ):
            place, name, text = f"environment: {variable}", self.variables.get(variable), environ[variable]
            if name is not None and text != "":
                self._take(name, place, from_text, text)
            elif name is None and variable.startswith(self.prefix) and variable not in ignored:
                self.problems.append(f"{place}: no such setting{_meant(variable, self.variables)}")

    def _take(self, name: str, place: str, read: Callable[[Setting, Any], Any], value: Any) -> None:
        self.places[name] = place
        try:
            self.values[name] = read(self.known[name], value)
        except Wrong as wrong:
            self.problems.append(_told(place, name, str(wrong)))


def _told(place: str, name: str, why: str) -> str:
    """A problem as a line; a variable tells its setting's name already."""
    return f"{place}: {why}" if place.startswith("environment: ") else f"{place}: {name}: {why}"


def _syntax_problem(file: Path, text: str, error: Exception) -> str:
    """tomllib says the line at the end of its message, `(at line 3, column 5)`, or `(at end of document)`."""
    message, _, where = str(error).rpartition(" (at ")
    words = where.rstrip(")").replace(",", "").split()
    line = words[1] if words[:1] == ["line"] else str(len(text.splitlines()) or 1)
    return f"{file}:{line}: {message or error}"


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
