"""Settings of a program: a dataclass filled from a TOML file and the environment; a wrong one names its place.

    @dataclass(frozen=True)
    class Settings:
        port: int = field(8787, ge=0, le=65535, doc="TCP port; 0: any free one")

    loaded = load(Settings, "BARNSTORM_SERVER_", file, os.environ)

The environment goes before the file, the file before the default. Fields are `str`, `int`, `float`, `bool`, `Path`, a
`Literal` of words, `List[str]`, or an `Optional` of these; constraints are those of `barnstorm.model.base.field`. An empty
variable counts as not set; a list in a variable is separated by commas; a relative path in a file is below that file's
folder. `settingsdocs` writes the same settings down as a table and as an example file.
"""

import dataclasses
import difflib
import importlib
from pathlib import Path
from typing import Any, Callable, Dict, Generic, Iterable, List, Mapping, Optional, Tuple, Type, TypeVar

from .settingsvalue import Wrong, from_text, from_toml, types_of
from .tomllines import key_lines

T = TypeVar("T")

# A rule over several fields: gives (field, what is wrong) pairs.
Check = Callable[[T], Iterable[Tuple[str, str]]]


@dataclasses.dataclass(frozen=True)
class Loaded(Generic[T]):
    """Settings, and for each field the place that its value is from: `FILE:12`, `environment: NAME` or `default`."""

    settings: T
    places: Dict[str, str]


class SettingsError(Exception):
    """Settings that a program does not start with; one line a problem: `PLACE: SETTING: what is wrong`."""

    def __init__(self, problems: List[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(
    cls: Type[T],
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
    reading = _Reading(cls, prefix, dict(variables or {}))
    if file is not None:
        reading.read_file(file)
    reading.read_environment(environ, set(ignored))
    if reading.problems:
        raise SettingsError(reading.problems)
    settings = cls(**reading.values)
    places = {f.name: reading.places.get(f.name, "default") for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    broken = [f"{places[name]}: {name}: {why}" for name, why in (check(settings) if check else ())]
    if broken:
        raise SettingsError(broken)
    return Loaded(settings, places)


def variable_of(name: str, prefix: str, variables: Mapping[str, str]) -> str:
    """The environment variable of a setting."""
    return variables.get(name, prefix + name.upper())


class _Reading:
    """Values and places as they come in, and everything that is wrong with them."""

    def __init__(self, cls: type, prefix: str, variables: Dict[str, str]) -> None:
        self.prefix = prefix
        self.fields = {f.name: f for f in dataclasses.fields(cls)}
        self.types = types_of(cls)
        self.variables = {variable_of(name, prefix, variables): name for name in self.fields}
        self.values: Dict[str, Any] = {}
        self.places: Dict[str, str] = {}
        self.problems: List[str] = []

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
        for name, value in document.items():
            place = f"{file}:{lines.get(name, 1)}"
            if name not in self.fields:
                self.problems.append(f"{place}: {name}: no such setting{_meant(name, self.fields)}")
                continue
            self._take(name, place, lambda name=name, value=value: self._from_file(name, value, file))

    def _from_file(self, name: str, value: Any, file: Path) -> Any:
        value = from_toml(self.fields[name], self.types[name], value)
        return file.absolute().parent / value if isinstance(value, Path) else value

    def read_environment(self, environ: Mapping[str, str], ignored: Iterable[str]) -> None:
        for variable in sorted(environ):
            place, name, text = f"environment: {variable}", self.variables.get(variable), environ[variable]
            if name is not None and text != "":
                self._take(
                    name, place, lambda name=name, text=text: from_text(self.fields[name], self.types[name], text)
                )
            elif name is None and variable.startswith(self.prefix) and variable not in ignored:
                self.problems.append(f"{place}: no such setting{_meant(variable, self.variables)}")

    def _take(self, name: str, place: str, read: Callable[[], Any]) -> None:
        self.places[name] = place
        try:
            self.values[name] = read()
        except Wrong as wrong:
            told = place if place.startswith("environment: ") else f"{place}: {name}"
            self.problems.append(f"{told}: {wrong}")


def _syntax_problem(file: Path, text: str, error: Exception) -> str:
    """tomllib says the line at the end of its message, `(at line 3, column 5)`, or `(at end of document)`."""
    message, _, where = str(error).rpartition(" (at ")
    words = where.rstrip(")").replace(",", "").split()
    line = words[1] if words[:1] == ["line"] else str(len(text.splitlines()) or 1)
    return f"{file}:{line}: {message or error}"


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
