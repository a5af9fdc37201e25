"""Settings: every one documented, wrong ones told with their place, and the start stopped."""

import subprocess
import sys
from pathlib import Path

import pytest

from barnstorm.settingsfile import SettingsError
from barnstorm_harvester.main import example_file, main, settings_table
from barnstorm_harvester.settings import load_settings

ROOT = Path(__file__).parents[3]


def problem(file: Path | None = None, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(file, environ)
    return str(caught.value)


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("BARNSTORM_DATA_DIR", raising=False)
    settings = load_settings(None, {}).settings
    assert settings.server == "http://127.0.0.1:8787"
    assert settings.dir == tmp_path / "barnstorm" / "harvester"
    assert settings.token_path == settings.dir / "token"
    assert settings.on_stop == "leave"
    assert settings.harvester_name
    assert settings.default_limits.waiting_workers == 100


def test_environment_before_file(tmp_path: Path) -> None:
    file = tmp_path / "harvester.toml"
    file.write_text('name = "edge"\ndir = "data"\n[limits]\nworkers = 7\n')
    environ = {
        "BARNSTORM_HARVESTER_NAME": "centre",
        "BARNSTORM_TOKEN_FILE": "/t",
        "BARNSTORM_HARVESTER_ON_STOP": "drain",
    }
    settings = load_settings(file, environ).settings
    assert (settings.name, settings.dir, settings.token_path) == ("centre", tmp_path / "data", Path("/t"))
    assert (settings.limits.workers, settings.limits.waiting_workers, settings.on_stop) == (7, 100, "drain")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"\nnmae = "b"\n', ":2: nmae: no such setting"),
        ('on_stop = "explode"\n', ':1: on_stop: "explode" is none of leave, drain, kill'),
        ("\n\nkeep_s = -1\n", ":3: keep_s: -1 is below 0"),
        ("[limits]\nworkers = 'many'\n", ':2: limits.workers: "many" is not a whole number'),
        ("name = \n", ":1: "),
        ('server = "ftp://x"\n', ':1: server: "ftp://x" is not http'),
        ('server = "http://example.org"\n', ":1: server: "),
        ('name = "no spaces"\n', ":1: name: "),
        ('ca_file = "/not/there"\n', ":1: ca_file: there is no file /not/there"),
    ],
)
def test_wrong_file(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "harvester.toml"
    file.write_text(text)
    assert problem(file).startswith(f"{file}{said}")


def test_wrong_environment() -> None:
    assert "BARNSTORM_HARVESTER_NMAE: no such setting" in problem(BARNSTORM_HARVESTER_NMAE="x")
    assert "BARNSTORM_HARVESTER_KEEP_S" in problem(BARNSTORM_HARVESTER_KEEP_S="long")
    assert "cannot be read" in problem(BARNSTORM_HARVESTER_CONFIG="/not/there.toml")


def test_plain_http_to_others_only_when_allowed() -> None:
    assert "plain HTTP" in problem(BARNSTORM_SERVER="http://barnstorm.example.org")
    allowed = {"BARNSTORM_SERVER": "http://barnstorm.example.org", "BARNSTORM_HARVESTER_ALLOW_PLAIN_HTTP": "true"}
    assert load_settings(None, allowed).settings.allow_plain_http
    assert load_settings(None, {"BARNSTORM_SERVER": "https://barnstorm.example.org"}).settings.server


def test_the_start_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "harvester.toml"
    file.write_text("colour = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "barnstorm_harvester", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"barnstorm-harvester: {file}:1: colour: no such setting")


def test_no_token_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BARNSTORM_HARVESTER_DIR", str(tmp_path / "h"))
    assert main([]) == 1
    assert "no token in" in capsys.readouterr().err


def test_example_and_documentation_are_fresh() -> None:
    """Written by `barnstorm-harvester settings --example` and `--markdown`."""
    assert (ROOT / "etc/harvester.toml").read_text() == example_file()
    assert settings_table() in (ROOT / "docs/site/harvester.md").read_text()


def test_the_example_is_a_file_that_loads() -> None:
    assert load_settings(ROOT / "etc/harvester.toml", {}).settings.on_stop == "leave"
