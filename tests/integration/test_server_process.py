"""`barnstorm-server` as a process: first start, settings that stop it, a clean end, its sub-commands."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

START_S = 30


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "barnstorm_server", *arguments]


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BARNSTORM")}
    return {**own, "BARNSTORM_DATA_DIR": str(data_dir), "BARNSTORM_SERVER_PORT": "0", **more}


@contextmanager
def server(data_dir: Path, **more: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running server and its URL; it is killed if it still runs at the end."""
    process = subprocess.Popen(command(), env=environment(data_dir, **more), stderr=subprocess.PIPE, text=True)
    try:
        yield process, url_of(process, data_dir)
    finally:
        process.kill()
        process.communicate()


def url_of(process: "subprocess.Popen[str]", data_dir: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if (data_dir / "server.url").exists():
            return (data_dir / "server.url").read_text().strip()
        if process.poll() is not None:
            pytest.fail(f"the server ended: {process.communicate()[1]}")
        time.sleep(0.02)
    pytest.fail("the server did not start in time")


def ask(url: str, token: str = "", method: str = "GET") -> tuple[int, Any]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def run(data_dir: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), env=environment(data_dir, **more), capture_output=True, text=True, timeout=60, check=False
    )


def token(data_dir: Path, kind: str) -> str:
    return (data_dir / "tokens" / f"{kind}.token").read_text().strip()


def test_first_start_clean_end_and_second_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with server(data) as (process, url):
        assert ask(f"{url}/v1")[0] == 200
        status, me = ask(f"{url}/v1/whoami", token(data, "operator"))
        assert (status, me["kind"]) == (200, "operator")
        assert ask(f"{url}/v1/whoami", token(data, "harvester"))[1]["subject"] == "local"
        assert ask(f"{url}/v1/whoami")[0] == 401
        private = [path for path in data.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
        assert private == []
        operator = token(data, "operator")

        answers: list[tuple[int, Any]] = []
        waiting = threading.Thread(target=lambda: answers.append(ask(f"{url}/v1/events?wait_s=50", operator)))
        waiting.start()
        time.sleep(0.5)
        asked_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - asked_at < 5
        waiting.join(10)
        assert answers[0][0] == 200  # who waited was answered, not cut off
        assert not (data / "server.url").exists()

    with server(data, BARNSTORM_SERVER_LOG_FORMAT="json") as (process, url):
        assert token(data, "operator") == operator
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        lines = [json.loads(line) for line in (process.stderr or pytest.fail("no stderr")).read().splitlines()]
        assert lines[0]["message"] == "listening"
        assert lines[0]["url"] == url


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with server(tmp_path):
        second = run(tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith("barnstorm-server: another server uses")
    assert second.stderr.count("\n") == 1


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        second = run(tmp_path, BARNSTORM_SERVER_PORT=str(port))
    assert second.returncode == 1
    assert second.stderr.startswith(f"barnstorm-server: cannot listen on 127.0.0.1 port {port}: Address already in use")


def test_wrong_settings_stop_the_start_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text("port = 0\n\nlease_s = -3\n")
    ended = run(tmp_path / "data", "--config", str(file))
    assert (ended.returncode, ended.stderr) == (2, f"barnstorm-server: {file}:3: lease_s: -3 is below 1 (seconds)\n")
    ended = run(tmp_path / "data", BARNSTORM_SERVER_PORT="many")
    expected = 'barnstorm-server: environment: BARNSTORM_SERVER_PORT: "many" is not a whole number\n'
    assert (ended.returncode, ended.stderr) == (2, expected)
    assert not (tmp_path / "data").exists()


def test_open_keys_stop_the_start(tmp_path: Path) -> None:
    run(tmp_path, "keys", "ls")
    (tmp_path / "keys").chmod(0o755)
    ended = run(tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"barnstorm-server: {tmp_path}/keys has mode 0755, so that others can use it: chmod 700 {tmp_path}/keys\n"
    )


def test_tls_files_that_are_none(tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("nothing")
    files = {f"BARNSTORM_SERVER_TLS_{name.upper()}": str(tmp_path / name) for name in ("cert", "key")}
    ended = run(tmp_path / "data", **files)
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        f"barnstorm-server: tls_cert {tmp_path}/cert and tls_key {tmp_path}/key cannot be used"
    )


def test_keys_and_tokens_of_the_command_line_reach_a_running_server(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        old = token(tmp_path, "operator")
        assert run(tmp_path, "keys", "rotate").stdout.startswith("signing with k2-")
        made = run(tmp_path, "token", "--kind", "user", "--subject", "ada", "--group", "rubin", "--ttl-s", "600")
        assert "user token" in made.stderr
        assert made.stdout.strip() not in made.stderr
        status, me = ask(f"{url}/v1/whoami", made.stdout.strip())
        assert (status, me["subject"], me["groups"]) == (200, "ada", ["rubin"])
        status, me_too = ask(f"{url}/v1/whoami", old)
        assert status == 200  # what the old key signed is good

        made_id = made.stderr.split()[2]  # "user token ID for ada, …": in no list, yet it can be revoked
        assert ask(f"{url}/v1/tokens/{made_id}", old, "DELETE")[0] == 204
        assert ask(f"{url}/v1/whoami", made.stdout.strip())[0] == 401
        assert {"local", me_too["subject"]} <= {one["subject"] for one in ask(f"{url}/v1/tokens", old)[1]["items"]}
    listed = run(tmp_path, "keys", "ls").stdout.splitlines()
    assert [line.split()[1] for line in listed] == ["verifies", "signs"]
    assert run(tmp_path, "keys", "prune").stdout == "deleted: none\n"


def test_a_senseless_token_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, "token", "--kind", "site")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "barnstorm-server token: queues: a site token names its queues\n"


def test_database_commands(tmp_path: Path) -> None:
    empty = run(tmp_path, "db", "check")
    assert (empty.returncode, empty.stdout[:19]) == (1, "the schema is empty")
    assert run(tmp_path, "db", "upgrade").returncode == 0
    assert run(tmp_path, "db", "check").returncode == 0


def test_settings_are_printed_with_their_place_and_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('heartbeat_s = 5\ndatabase_url = "postgresql+psycopg://u:secret@h/d"\n')
    shown = run(tmp_path, "--config", str(file), "settings")
    assert shown.returncode == 0
    assert f"heartbeat_s = 5  # seconds; {file}:1\n" in shown.stdout
    assert "port = 0  # environment: BARNSTORM_SERVER_PORT\n" in shown.stdout
    assert "secret" not in shown.stdout


def test_help_names_the_commands() -> None:
    shown = subprocess.run(command("--help"), capture_output=True, text=True, check=True).stdout
    for name in ("run", "settings", "keys", "token", "db"):
        assert f"  {name} " in shown
