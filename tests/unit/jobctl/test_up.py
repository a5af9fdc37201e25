"""`jobctl up` as far as it needs no server: what it refuses, who holds a data directory, children that die."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from barnstorm.contexts import load
from barnstorm.jobctl import up
from barnstorm.jobctl.children import Child
from barnstorm.jobctl.datahold import AlreadyRunning, DataDir
from barnstorm.jobctl.localsystem import Plan, is_free, local_queue, log_in
from barnstorm.jobctl.supervisor import Supervisor
from barnstorm.model.base import from_wire
from barnstorm.model.queue import QueueConfig, check_queue

from .conftest import Run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="jobctl up is for Linux")


def plan(path: Path) -> Plan:
    return Plan(DataDir(path), "127.0.0.1", None, 2, 3000, "local")


def test_elsewhere_one_sentence(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barnstorm.jobctl.up.sys.platform", "darwin")
    done = bare("up")
    assert done.exit_code == 2
    assert done.output.startswith("error: jobctl up needs Linux; ")
    assert done.output.count("\n") == 1


def test_what_is_missing(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "PACKAGES", ("json", "no_such_package"))
    done = bare("up")
    assert done.output == "error: no_such_package not installed\npip install 'barnstorm[all]'\n"


def test_one_holds_a_directory(tmp_path: Path, bare: Run) -> None:
    data = DataDir(tmp_path / "d")
    assert data.running() == 0
    with data.hold():
        assert data.path.stat().st_mode & 0o777 == 0o700
        assert DataDir(data.path).running() > 0
        with pytest.raises(AlreadyRunning), DataDir(data.path).hold():
            pass
        done = bare("up", "--data-dir", data.path)
        assert (done.exit_code, done.output[:20]) == (0, "already running (pid")
    assert data.running() == 0
    assert bare("down", "--data-dir", data.path).output == f"nothing runs on {data.path}\n"


def test_a_directory_that_others_write(tmp_path: Path, bare: Run) -> None:
    tmp_path.chmod(0o777)
    done = bare("up", "--data-dir", tmp_path)
    assert done.exit_code == 2
    assert "chmod 700" in done.output


def test_the_queue_of_this_machine(tmp_path: Path) -> None:
    config = from_wire(QueueConfig, local_queue(plan(tmp_path)))
    check_queue(config)
    assert config.accepts.cores is not None
    assert config.accepts.cores.max == 2
    assert config.worker.memory_mib == 3000  # type: ignore[union-attr]


def test_logging_in_keeps_other_contexts(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "operator.token").write_text("t\n")
    log_in(plan(tmp_path), "http://127.0.0.1:1")
    assert load().current == "local"
    assert load().known["local"].token == "t"
    assert capsys.readouterr().err == ""


def test_the_port_is_remembered(tmp_path: Path) -> None:
    supervisor = Supervisor(plan(tmp_path))
    (tmp_path / "port").write_text("1\n" if not is_free("127.0.0.1", 1) else "0\n")
    supervisor.url = "http://127.0.0.1:45671"
    supervisor._remember_port()
    assert supervisor.server.env["BARNSTORM_SERVER_PORT"] == "45671"
    if is_free("127.0.0.1", 45671):
        assert Supervisor(plan(tmp_path))._port() == 45671


def test_settings_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text("")
    supervisor = Supervisor(plan(tmp_path))
    assert supervisor.server.words[1:] == ["-m", "barnstorm_server", "--config", str(tmp_path / "server.toml")]
    assert supervisor._words("harvester")[1:] == ["-m", "barnstorm_harvester"]


def test_a_child_that_dies(tmp_path: Path) -> None:
    child = Child("thing", [sys.executable, "-c", "print('last words'); raise SystemExit(3)"], {}, tmp_path / "log")
    child.start()
    until = time.monotonic() + 20
    while child.running and time.monotonic() < until:
        time.sleep(0.01)
    assert child.ended() == f"the thing ended with exit code 3; starting it again in 1 s (log: {tmp_path / 'log'})"
    assert child.ended() is None
    assert child.last_lines() == ["last words"]
    assert 0 < child.retry_at - time.monotonic() <= 1
    child.start()
    child.tell(signal.SIGKILL)
    assert child.process is not None
    child.process.wait(20)
    told = child.ended()
    assert told is not None
    assert "was killed by SIGKILL; starting it again in 2 s" in told


@pytest.mark.parametrize(("program", "hurries", "in_peace"), [("pass", 0, True), ("ignore", 1, False)])
def test_ending_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, hurries: int, in_peace: bool
) -> None:
    """One that does as it is asked, and one that only a second Ctrl-C and force can end."""
    monkeypatch.setattr("barnstorm.jobctl.supervisor.HURRY_S", 0.1)
    code = {"pass": "", "ignore": "signal.signal(15, signal.SIG_IGN); signal.signal(2, signal.SIG_IGN)"}[program]
    code = f"import signal, time\n{code}\nprint('ready', flush=True)\ntime.sleep(60)"
    child = Child("thing", [sys.executable, "-c", code], {}, tmp_path / "log")
    supervisor = Supervisor(plan(tmp_path))
    supervisor.stops = 1
    child.start()
    while not child.last_lines():
        time.sleep(0.01)
    with supervisor._signals():
        if hurries:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert supervisor._end(child, signal.SIGTERM) is in_peace
    assert not child.running
    assert supervisor.stops == 1 + hurries
