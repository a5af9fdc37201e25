"""A fake server, and jobctl as a function of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from barnstorm.jobctl.main import cli

from .fake import TOKEN, Fake, serve

Run = Callable[..., Result]


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def url(fake: Fake) -> Iterator[str]:
    server, url = serve(fake)
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private configuration, and no word of the environment's own."""
    for name in ("BARNSTORM_CONTEXT", "BARNSTORM_SERVER", "BARNSTORM_TOKEN_FILE", "BARNSTORM_DEBUG", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BARNSTORM_CONFIG", str(tmp_path / "config" / "contexts.json"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("TZ", "UTC")
    return tmp_path


@pytest.fixture
def bare(home: Path) -> Run:
    """jobctl, not logged in."""

    def run(*args: object, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin, prog_name="jobctl")

    return run


@pytest.fixture
def jobctl(bare: Run, home: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """jobctl, logged in to the fake server."""
    (home / "token").write_text(TOKEN + "\n")
    monkeypatch.setenv("BARNSTORM_SERVER", url)
    monkeypatch.setenv("BARNSTORM_TOKEN_FILE", str(home / "token"))
    return bare
