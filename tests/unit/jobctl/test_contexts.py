"""Contexts on disk, the environment over them, and the transport that fits."""

import os
from pathlib import Path

import pytest

from barnstorm.connect import needs_requests
from barnstorm.contexts import Context, ContextError, load, resolve

from .conftest import Run
from .fake import TOKEN, Fake


def test_the_file_is_private_and_comes_back(home: Path) -> None:
    contexts = load()
    contexts.put(Context("prod", "https://one.example.org", "secret"))
    contexts.put(Context("test", "https://two.example.org", "other", "/ca.pem"), use=False)
    contexts.save()
    assert contexts.path.stat().st_mode & 0o777 == 0o600
    assert contexts.path.parent.stat().st_mode & 0o777 == 0o700
    again = load()
    assert again == contexts
    assert resolve().token == "secret"
    assert resolve("test").ca_file == "/ca.pem"


def test_a_file_that_others_may_read_is_refused(home: Path) -> None:
    contexts = load()
    contexts.put(Context("prod", "https://one.example.org", "secret"))
    contexts.save()
    contexts.path.chmod(0o644)
    with pytest.raises(ContextError, match="chmod 600"):
        load()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"contexts": {"a": {}}}', '{"contexts": 3}'])
def test_a_damaged_file(home: Path, text: str) -> None:
    path = Path(os.environ["BARNSTORM_CONFIG"])
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(ContextError, match="damaged"):
        load()


def test_a_token_never_goes_to_another_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = load()
    contexts.put(Context("prod", "https://one.example.org", "secret"))
    contexts.save()
    monkeypatch.setenv("BARNSTORM_SERVER", "https://evil.example.org")
    assert resolve().token == ""
    monkeypatch.setenv("BARNSTORM_SERVER", "https://ONE.example.org/")
    assert resolve().token == "secret"
    (home / "token").write_text("third\n")
    monkeypatch.setenv("BARNSTORM_TOKEN_FILE", str(home / "token"))
    assert resolve().token == "third"


def test_unknown_context(home: Path) -> None:
    with pytest.raises(ContextError, match="not known in"):
        resolve("nope")
    with pytest.raises(ContextError, match="not logged in"):
        resolve()


@pytest.mark.parametrize(
    ("url", "environ", "wanted"),
    [
        ("http://127.0.0.1:80", {"http_proxy": "http://p:1"}, False),
        ("http://one.example.org", {}, False),
        ("https://one.example.org", {"HTTPS_PROXY": "http://p:1"}, True),
        ("https://one.example.org", {"REQUESTS_CA_BUNDLE": "/ca"}, True),
        ("http://one.example.org", {"REQUESTS_CA_BUNDLE": "/ca"}, False),
    ],
)
def test_requests_only_where_it_is_needed(
    url: str, environ: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert needs_requests(Context("x", url), environ) is wanted


def test_login_checks_the_token_and_keeps_it(bare: Run, url: str, home: Path) -> None:
    done = bare("login", "--server", url + "/", "--token-file", "-", "--name", "here", stdin=TOKEN + "\n")
    assert done.exit_code == 0, done.output
    assert done.output == f"logged in to {url} as anna; context here\n"
    assert load().known["here"] == Context("here", url, TOKEN)
    assert "* " in bare("context", "ls").output
    assert TOKEN not in bare("context", "show").output
    assert "Subject   anna" in bare("whoami").output
    assert bare("logout").output == "logged out of context here\n"
    assert bare("whoami").exit_code == 4


def test_a_bad_token_is_not_kept(bare: Run, url: str, home: Path, fake: Fake) -> None:
    done = bare("login", "--server", url, "--token-file", "-", stdin="bad")
    assert done.exit_code == 4
    assert "the token is not good" in done.output
    assert load().known == {}


@pytest.mark.parametrize("stdin", ["", "two\nlines\n"])
def test_no_token_at_all(bare: Run, url: str, stdin: str) -> None:
    assert bare("login", "--server", url, "--token-file", "-", stdin=stdin).exit_code == 2


def test_use_and_rm(bare: Run, home: Path) -> None:
    contexts = load()
    contexts.put(Context("a", "http://a.example.org", "1"))
    contexts.put(Context("b", "http://b.example.org", "2"))
    contexts.save()
    assert bare("context", "use", "a").exit_code == 0
    assert load().current == "a"
    assert bare("context", "rm", "a").exit_code == 0
    assert load().current == ""
    missing = bare("context", "use", "c")
    assert missing.exit_code == 2
    assert "there are: b" in missing.output
