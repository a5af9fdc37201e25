"""Settings: where they come from, and how wrong ones are told."""

from pathlib import Path

import pytest

from barnstorm_pilot import exits
from barnstorm_pilot.main import main
from barnstorm_pilot.settings import _OPTIONS, BadSetting, load, parser, variable

ENV = {"BARNSTORM_SERVER": "http://h:1", "BARNSTORM_QUEUE": "q", "BARNSTORM_JOIN_TOKEN": "secret"}


def test_the_command_line_goes_before_the_environment() -> None:
    env = {**ENV, "BARNSTORM_PILOT_CORES": "3", "BARNSTORM_PILOT_GRACE_S": "2.5"}
    found = load(["--cores", "4", "--queue", "other"], env)
    assert (found.cores, found.grace_s, found.queue, found.server) == (4, 2.5, "other", "http://h:1")
    assert found.walltime_s == 86400


def test_the_token_leaves_the_environment(tmp_path: Path) -> None:
    env = dict(ENV)
    assert load([], env).join_token == "secret"
    assert "BARNSTORM_JOIN_TOKEN" not in env
    file = tmp_path / "token"
    file.write_text("from file\n")
    assert load(["--join-token-file", str(file)], dict(list(ENV.items())[:2])).join_token == "from file"
    assert file.exists()
    env = {**dict(list(ENV.items())[:2]), "BARNSTORM_JOIN_TOKEN_FILE": str(file)}
    assert load(["--token-file-once"], env).join_token == "from file"
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (["--cores", "many"], {}, "--cores: 'many' is no whole number"),
        (["--cores", "0"], {}, "--cores: 0 is below 1"),
        (["--idle-s", "nan"], {}, "--idle-s"),
        (["--idle-s", "-1"], {}, "--idle-s: -1 is below 0"),
        (["--core", "1"], {}, "unrecognized arguments: --core 1"),
        (["--join-token", "x"], {}, "unrecognized arguments"),
        ([], {"BARNSTORM_PILOT_CORES": "x"}, "BARNSTORM_PILOT_CORES: 'x'"),
        ([], {"BARNSTORM_PILOT_COLOUR": "red"}, "BARNSTORM_PILOT_COLOUR is no setting"),
        ([], {"BARNSTORM_SERVER": ""}, "--server is missing"),
        ([], {"BARNSTORM_JOIN_TOKEN": ""}, "no join token"),
        (["--join-token-file", "/no/such"], {"BARNSTORM_JOIN_TOKEN": ""}, "/no/such cannot be used"),
        (["--log-level", "loud"], {}, "'loud' is none of debug, info"),
    ],
)
def test_wrong_settings_are_told(arguments: list[str], more: dict[str, str], said: str) -> None:
    with pytest.raises(BadSetting) as error:
        load(arguments, {**ENV, **more})
    assert said in str(error.value)


def test_a_wrong_setting_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nonsense"]) == exits.USAGE
    assert capsys.readouterr().err == "barnstorm-pilot: unrecognized arguments: --nonsense\n"


def test_help_and_page_know_every_setting_and_exit_code() -> None:
    text = parser().format_help()
    page = (Path(__file__).parents[3] / "docs" / "pilot.md").read_text()
    for option in _OPTIONS:
        assert f"--{option.name} " in text
        assert variable(option.name) in text.replace("\n", "")
        assert f"`--{option.name}`" in page
        assert f"`{variable(option.name)}`" in page
        assert "required" in option.help or "default" in option.help or "token" in option.help
    for code, meaning in exits.MEANING.items():
        assert f"{code}  {meaning}" in text
        assert f"| {code} | {meaning} |" in page
