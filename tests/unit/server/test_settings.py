"""The server's settings: rules over several, names of variables, and papers that keep up with the code."""

from pathlib import Path

import pytest

from barnstorm.settingsfile import SettingsError
from barnstorm_server.admin.settings import example_file, settings_table, without_password
from barnstorm_server.settings import Settings, is_loopback, load_settings

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "etc" / "server.toml"
PAGE = ROOT / "docs" / "operator" / "server.md"


def read(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    file = tmp_path / "server.toml"
    file.write_text(text)
    return load_settings(file, environ).settings


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = load_settings(None, {}).settings
    assert (settings.host, settings.port, settings.tls) == ("127.0.0.1", 8787, False)
    assert settings.data_dir == tmp_path / "barnstorm"
    assert settings.database == f"sqlite:///{tmp_path}/barnstorm/barnstorm.db"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # to be ignored, says the XDG specification
    assert load_settings(None, {}).settings.data_dir == Path.home() / ".local/share/barnstorm"


def test_variables(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        "port = 1",
        BARNSTORM_DATA_DIR="/d",
        BARNSTORM_SERVER_PORT="0",
        BARNSTORM_SERVER_DATABASE_URL="postgresql+psycopg://u@h/d",
        BARNSTORM_SERVER="http://elsewhere",  # the client's
        BARNSTORM_SERVER_CONFIG="/this/is/not/read/as/a/setting",
    )
    assert (settings.data_dir, settings.port, settings.database) == (Path("/d"), 0, "postgresql+psycopg://u@h/d")


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("port = 7")
    assert load_settings(None, {"BARNSTORM_SERVER_CONFIG": str(tmp_path / "s.toml")}).settings.port == 7
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        load_settings(None, {"BARNSTORM_SERVER_CONFIG": str(tmp_path / "none.toml")})


WRONG = [
    ("lease_s = -3", "1: lease_s: -3 is below 1 (seconds)"),
    ("lease_s = 15", "1: lease_s: 15 is less than two heartbeats of 10 (seconds)"),
    ("prot = 1", "1: prot: no such setting; did you mean port?"),
    ("tls_cert = 'server.toml'", "1: tls_cert: is set, but tls_key is not: TLS needs both"),
    ("tls_key = 'server.toml'", "1: tls_key: is set, but tls_cert is not: TLS needs both"),
    ("tls_cert = '/none'\ntls_key = 'server.toml'", "1: tls_cert: there is no file /none"),
    ("\nhost = '0.0.0.0'", '2: host: "0.0.0.0" is not only this machine, and plain HTTP'),
    ("host = '::'", '1: host: "::" is not only'),
    ("host = 'example.org'", '1: host: "example.org" is not only'),
    ("public_url = 'example.org'", '1: public_url: "example.org" does not begin with http:// or https://'),
    ("queue_dir = 'none'", "1: queue_dir: there is no folder"),
    ("max_upload_mib = 0", "1: max_upload_mib: 0 is below 1 (MiB)"),
    ("log_format = 'xml'", '1: log_format: "xml" is none of text, json'),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_wrong_settings(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path}/server.toml:{expected}")


def test_wrong_variables(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, BARNSTORM_SERVER_PORTT="1", BARNSTORM_SERVER_HEARTBEAT_S="soon")
    assert caught.value.problems == [
        'environment: BARNSTORM_SERVER_HEARTBEAT_S: "soon" is not a number',
        "environment: BARNSTORM_SERVER_PORTT: no such setting; did you mean BARNSTORM_SERVER_PORT?",
    ]
    with pytest.raises(SettingsError, match=r"^environment: BARNSTORM_SERVER_HOST: .* plain HTTP"):
        read(tmp_path, BARNSTORM_SERVER_HOST="0.0.0.0")


@pytest.mark.parametrize(
    "text",
    ["host = '0.0.0.0'\nallow_plain_http = true", "host = '::'\ntls_cert = 'server.toml'\ntls_key = 'server.toml'"],
)
def test_beyond_this_machine(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("", False),
     ("::", False), ("localhost.example.org", False), ("127.0.0.1.example.org", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_example_file_is_fresh() -> None:
    assert EXAMPLE.read_text() == example_file(), "run: barnstorm-server settings --example > etc/server.toml"
    assert load_settings(EXAMPLE, {}).settings == load_settings(None, {}).settings


def test_the_example_file_names_every_setting(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text().splitlines()
    in_force = "\n".join(line[1:] for line in lines if line[:1] == "#" and line[1:2] not in (" ", ""))
    loaded = load_settings(_written(tmp_path / "s.toml", in_force), {})
    assert [name for name, place in loaded.places.items() if place == "default"] == []
    assert loaded.settings == load_settings(None, {}).settings


def test_the_table_in_the_documentation_is_fresh() -> None:
    assert settings_table() in PAGE.read_text(), "put there what `barnstorm-server settings --markdown` prints"


def test_a_password_is_not_shown() -> None:
    assert without_password("postgresql+psycopg://u:secret@h:5/d?x=1") == "postgresql+psycopg://u:***@h:5/d?x=1"
    assert without_password("postgresql+psycopg://u@h/d") == "postgresql+psycopg://u@h/d"
    assert without_password("") == ""


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
