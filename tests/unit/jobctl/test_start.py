"""What starting costs: which modules are imported, and that every verb has its help with examples."""

import json
import subprocess
import sys

import click
import pytest

from barnstorm.jobctl.main import SUMMARIES, cli

from .conftest import Run
from .test_exits import environment

HEAVY = {"requests", "rich", "pydantic", "urllib3"}


def modules_after(code: str) -> set[str]:
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import barnstorm.jobctl.main",
        "from barnstorm.jobctl.main import cli; cli._run(['--help'], 'jobctl', {})",
        "from barnstorm.jobctl.main import cli; cli._run(['submit', '--dry-run', '--', 'true'], 'jobctl', {})",
        "import barnstorm.jobctl.session, barnstorm.jobctl.ls, barnstorm.jobctl.show, barnstorm.jobctl.screens",
        "import barnstorm.jobctl.logs, barnstorm.jobctl.logtail, barnstorm.jobctl.get, barnstorm.jobctl.wait",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert modules_after(code) & HEAVY == set()


def test_help_imports_no_verb() -> None:
    found = modules_after("from barnstorm.jobctl.main import cli; cli._run(['--help'], 'jobctl', {})")
    ours = {name for name in found if name.startswith("barnstorm.")}
    assert ours == {"barnstorm.jobctl", "barnstorm.jobctl.exits", "barnstorm.jobctl.main"}


def test_import_barnstorm_is_light_and_has_its_names() -> None:
    found = modules_after("import barnstorm")
    assert {name for name in found if name.startswith("barnstorm")} == {"barnstorm"}
    import barnstorm

    for name in barnstorm.__all__:
        assert getattr(barnstorm, name).__name__ == name
        assert name in dir(barnstorm)
    with pytest.raises(AttributeError):
        _ = barnstorm.nothing  # type: ignore[attr-defined]


def test_the_client_needs_nothing_of_linux() -> None:
    """Every module of the client can be imported where fcntl, pwd and their like are not."""
    code = """
import pkgutil, socket, subprocess, tempfile, asyncio, concurrent.futures, http.client, multiprocessing, uuid
import click, requests, rich.console, rich.live, rich.progress, pydantic, click._compat, click._termui_impl
for name in ("fcntl", "pwd", "grp", "resource", "termios", "pty"):
    sys.modules[name] = None
sys.platform = "win32"
import barnstorm.api, barnstorm.jobctl, barnstorm.model, barnstorm.sdk
for package in (barnstorm, barnstorm.api, barnstorm.jobctl, barnstorm.model, barnstorm.sdk):
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "__main__":
            __import__(f"{package.__name__}.{module.name}")
"""
    assert "barnstorm.jobctl.supervisor" in modules_after(code)


def commands(group: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not isinstance(group, click.Group):
        return [path]
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(cli, ()), ids=" ".join)
def test_each_verb_has_help_with_examples(bare: Run, path: tuple[str, ...]) -> None:
    done = bare(*path, "--help")
    assert done.exit_code == 0, done.output
    assert f"Usage: jobctl {' '.join(path)}" in done.output
    assert "Example" in done.output
    assert f"jobctl {' '.join(path)}" in done.output.partition("Example")[2]


def test_every_command_is_named_in_the_help(bare: Run) -> None:
    text = bare("--help").output
    for name, summary in SUMMARIES.items():
        assert name in text
        assert summary in text
    assert bare().exit_code == 2
