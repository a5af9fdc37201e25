"""Settings from file and environment: order, types, and where each error stands."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from barnstorm.model.base import field
from barnstorm.settingsfile import Loaded, SettingsError, load
from barnstorm.settingsfile.docs import effective, example, table
from barnstorm.settingsfile.lines import key_lines


@dataclasses.dataclass
class Limits:
    workers: int | None = field(None, ge=0, doc="at most so many")
    rate: float = field(1.5, ge=0)


@dataclasses.dataclass(frozen=True)
class Settings:
    name: str = field("x", pattern=r"^[a-z]*$", doc="a name")
    port: int = field(80, ge=0, le=65535)
    wait_s: float = field(10.0, ge=0.5, unit="s", doc="how long")
    on: bool = field(False)
    level: Literal["low", "high"] = field("low")
    folder: Path | None = field(None)
    queues: list[str] = field(factory=list)
    limits: Limits = field(factory=lambda: Limits(workers=7))


def read(tmp_path: Path, text: str | None = None, **environ: str) -> Loaded[Settings]:
    file = None
    if text is not None:
        file = tmp_path / "s.toml"
        file.write_text(text)
    return load(Settings, "APP_", file, environ, variables={"folder": "SHARED_FOLDER"}, ignored=["APP_CONFIG"])


def test_defaults(tmp_path: Path) -> None:
    loaded = read(tmp_path)
    assert loaded.settings == Settings()
    assert set(loaded.places.values()) == {"default"}


def test_the_environment_goes_before_the_file_and_that_before_the_default(tmp_path: Path) -> None:
    loaded = read(
        tmp_path, "port = 1\nwait_s = 2\n", APP_PORT="3", APP_CONFIG="anything", APP_NAME="", OTHER="1", APP="2"
    )
    assert (loaded.settings.port, loaded.settings.wait_s, loaded.settings.name) == (3, 2.0, "x")
    assert loaded.places["port"] == "environment: APP_PORT"
    assert loaded.places["wait_s"] == f"{tmp_path / 's.toml'}:2"


def test_all_types_from_a_file(tmp_path: Path) -> None:
    text = 'name = "y"\non = true\nlevel = "high"\nfolder = "sub"\nqueues = ["a", "b"]\n[limits]\nworkers = 3\n'
    settings = read(tmp_path, text).settings
    expected = Settings("y", 80, 10.0, True, "high", tmp_path / "sub", ["a", "b"], Limits(3, 1.5))
    assert settings == expected


def test_all_types_from_the_environment(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        APP_NAME="y",
        APP_ON="yes",
        APP_LEVEL="high",
        SHARED_FOLDER="~/d",
        APP_QUEUES="a, b,",
        APP_LIMITS_RATE="2",
    ).settings
    assert settings == Settings("y", 80, 10.0, True, "high", Path.home() / "d", ["a", "b"], Limits(7, 2.0))


def test_an_empty_path_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, 'folder = ""').settings.folder is None


FILE_ERRORS = [
    ("port = 1\n\nwait_s = -3", "3: wait_s: -3 is below 0.5 (seconds)"),
    ("port = 70000", "1: port: 70000 is above 65535"),
    ("port = 1.5", "1: port: 1.5 is not a whole number"),
    ("port = true", "1: port: true is not a whole number"),
    ('port = "80"', '1: port: "80" is not a whole number'),
    ("wait_s = inf", "1: wait_s: inf is no finite number"),
    ("wait_s = nan", "1: wait_s: nan is no finite number"),
    ("on = 1", "1: on: 1 is not true or false"),
    ('level = "middle"', '1: level: "middle" is none of low, high'),
    ("level = 3", "1: level: 3 is not a text"),
    ("name = 3", "1: name: 3 is not a text"),
    ('name = "Y"', '1: name: "Y" does not match ^[a-z]*$'),
    ("folder = 3", "1: folder: 3 is not a path"),
    ('queues = "a"', '1: queues: "a" is not a list of texts'),
    ("queues = [1]", "1: queues: [1] is not a list of texts"),
    ("# port\nprot = 1", "2: prot: no such setting; did you mean port?"),
    ("zzz = 1", "1: zzz: no such setting"),
    ("[limits]\nworkers = -1", "2: limits.workers: -1 is below 0"),
    ("limits.workers = -1", "1: limits.workers: -1 is below 0"),
    ("\nlimits = {workers = -1}", "2: limits.workers: -1 is below 0"),
    ("[limits]\n\nworker = 1", "3: limits.worker: no such setting; did you mean limits.workers?"),
    ("[port]\nx = 1", '1: port: {"x": 1} is not a whole number'),
    ("[other]\nport = 1", "1: other: no such setting"),
    ("limits = 3", "1: limits: 3 is not a table"),
    ("port = 1\nport = 2", "2: Cannot overwrite a value"),
    ("port = ", "1: Invalid value"),
    ('queues = ["""\nport = 3\n"""]\nport = -1', "4: port: -1 is below 0"),
]


@pytest.mark.parametrize(("text", "expected"), FILE_ERRORS)
def test_an_error_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / 's.toml'}:{expected}")


ENVIRONMENT_ERRORS = [
    ("APP_PORT", "x", '"x" is not a whole number'),
    ("APP_PORT", "-1", "-1 is below 0"),
    ("APP_WAIT_S", "1e999", "inf is no finite number"),
    ("APP_ON", "maybe", '"maybe" is not true or false'),
    ("APP_LEVEL", "x", '"x" is none of low, high'),
    ("APP_LIMITS_WORKERS", "-1", "-1 is below 0"),
    ("APP_POTR", "1", "no such setting; did you mean APP_PORT?"),
    ("APP_FOLDER", "/x", "no such setting"),
]


@pytest.mark.parametrize(("variable", "value", "expected"), ENVIRONMENT_ERRORS)
def test_an_error_in_the_environment_is_told_with_its_variable(
    tmp_path: Path, variable: str, value: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, **{variable: value})
    assert str(caught.value).startswith(f"environment: {variable}: {expected}")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "port = -1\nprot = 1", APP_ON="x")
    assert len(caught.value.problems) == 3


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        load(Settings, "APP_", tmp_path / "none.toml", {})
    (tmp_path / "b.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"b\.toml: cannot be read"):
        load(Settings, "APP_", tmp_path / "b.toml", {})


def test_a_rule_over_fields_is_told_where_its_field_is_from(tmp_path: Path) -> None:
    def check(settings: Settings) -> list[tuple[str, str]]:
        return [("port", "is odd")] if settings.port % 2 else []

    (tmp_path / "s.toml").write_text("\nport = 3")
    with pytest.raises(SettingsError) as caught:
        load(Settings, "APP_", tmp_path / "s.toml", {}, check=check)
    assert str(caught.value) == f"{tmp_path / 's.toml'}:2: port: is odd"


def test_lines_of_keys() -> None:
    text = "a = 1\n\"b\" = '''\nx = 1\n'''\nc.d = 2\n[ t . u ] # z\ne = 1\n[[f]]\ng=1\n[[f]]\n"
    expected = {"a": 1, "b": 2, "c": 5, "c.d": 5, "t": 6, "t.u": 6, "t.u.e": 7, "f": 8, "f.g": 9}
    assert key_lines(text) == expected


def test_the_example_loads_as_it_is_and_with_every_line_in_force(tmp_path: Path) -> None:
    text = example(Settings, "Head", {})
    assert text.startswith("# Head\n")
    assert read(tmp_path, text).settings == Settings()
    in_force = "\n".join(
        line[1:] if line.startswith("#") and line[1:2] not in (" ", "") else line for line in text.split("\n")
    )
    assert in_force != text
    assert read(tmp_path, in_force.replace('workers = ""', "workers = 7")).settings == Settings()


def test_tables_and_what_is_in_force(tmp_path: Path) -> None:
    told = table(Settings, "APP_", {"folder": "SHARED_FOLDER"}, {"folder": "here"})
    assert "| `folder` | `SHARED_FOLDER` | here | a path |  |" in told
    assert "| `wait_s` | `APP_WAIT_S` | `10` seconds | 0.5 or more | how long |" in told
    shown = effective(read(tmp_path, "port = 1"), {"name": "***"})
    assert f"port = 1  # {tmp_path / 's.toml'}:1\n" in shown
    assert 'name = "***"  # default\n' in shown
    assert "limits.workers = 7  # default\n" in shown


def test_tomllib_is_not_needed_to_import() -> None:
    code = "import sys, barnstorm.settingsfile, barnstorm.settingsfile.docs; sys.exit('tomllib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
