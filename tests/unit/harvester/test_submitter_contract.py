"""What the contract itself brings: options, orders, and how a pilot is started."""

from dataclasses import dataclass

import pytest

from barnstorm.model.base import field
from barnstorm.model.queue import PilotSettings
from barnstorm.model.shape import Shape
from barnstorm_plugins.submitters.base import START_S, InvalidOptions, Options, WorkerOrder, read_options
from barnstorm_plugins.submitters.launch import pilot_arguments, pilot_variables, without_own_settings
from barnstorm_plugins.submitters.local import LocalOptions, LocalSubmitter


@dataclass
class SlurmLike(Options):
    partition: str = ""
    nice: int = field(0, ge=0, le=10_000)
    extra_lines: list[str] = field(factory=list)


def order(**more: object) -> WorkerOrder:
    shape = Shape(2, 4000, 3600, 100, 1)
    labels = {"worker": "w1", "key": "k"}
    return WorkerOrder("w1", "q", "all", shape, Options(), labels, "http://s", "very-secret", **more)  # type: ignore[arg-type]


def test_options_are_read() -> None:
    block = {"type": "slurm", "partition": "rubin", "nice": 5, "extra_lines": ["#SBATCH -v"], "poll_s": 60, "note": "x"}
    options = read_options(SlurmLike, block)
    assert (options.partition, options.nice, options.extra_lines, options.poll_s) == ("rubin", 5, ["#SBATCH -v"], 60)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            {"partiton": "x"},
            "submitter.partiton: is no option of this submitter; there are: extra_lines, files_dir, nice, ",
        ),
        ({"nice": -1}, "submitter.nice: Input should be greater than or equal to 0"),
        ({"nice": "5"}, "submitter.nice: Input should be a valid integer"),
        ({"extra_lines": [1]}, "submitter.extra_lines.0: Input should be a valid string"),
        ({"poll_s": 0}, "submitter.poll_s: "),
    ],
)
def test_wrong_options_name_the_field(block: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        read_options(SlurmLike, block)
    assert str(caught.value).startswith(said)
    assert caught.value.field.startswith("submitter.")


def test_local_options() -> None:
    assert read_options(LocalOptions, {"type": "local", "max": 0, "cores": 2}).max == 0
    assert LocalSubmitter.Options is LocalOptions
    with pytest.raises(InvalidOptions, match=r"submitter\.cores"):
        read_options(LocalOptions, {"cores": 0})


def test_a_token_is_never_shown() -> None:
    assert "very-secret" not in repr(order())


def test_pilot_start() -> None:
    assert pilot_arguments(order(idle_s=9), "/w") == (
        [
            "--cores",
            "2",
            "--memory-mib",
            "4000",
            "--disk-mib",
            "100",
            "--gpus",
            "1",
            "--walltime-s",
            str(3600 + START_S),
            "--work-dir",
            "/w",
            "--idle-s",
            "9",
        ]
    )
    assert "--idle-s" not in pilot_arguments(order(), "/w")
    assert pilot_variables(order(), "/t")["BARNSTORM_SERVER"] == "http://s"
    seen = pilot_variables(order(pilot=PilotSettings(server_url="https://outside"), ca_file="/ca"), "/t")
    assert (seen["BARNSTORM_SERVER"], seen["BARNSTORM_CA_FILE"]) == ("https://outside", "/ca")
    assert "very-secret" not in str(seen)


def test_own_settings_stay_here() -> None:
    mixed = {"PATH": "/bin", "BARNSTORM_TOKEN_FILE": "/t", "BARNSTORM_PILOT_LOG_LEVEL": "debug", "BARNSTORM_FAULT": "x"}
    assert without_own_settings(mixed) == {"PATH": "/bin", "BARNSTORM_PILOT_LOG_LEVEL": "debug"}
