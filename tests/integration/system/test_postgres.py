"""The same system on PostgreSQL, with its durable settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.system.conftest import System
from tests.services.postgres import Cluster, programs
from tests.waiting import wait_for

from barnstorm.model.collection import Numbers

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[System]:
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("no initdb in PATH or /usr/lib/postgresql/*/bin")
    cluster = Cluster(bin_dir, durable=True)
    made = System(tmp_path)
    made.data_dir.mkdir(mode=0o700)
    (made.data_dir / "server.toml").write_text(f'database_url = "{cluster.empty()}"\n')
    made.up()
    yield made
    made.down()
    made.sweep()
    cluster.stop()


def test_jobs_end_exactly_once_though_the_server_is_killed(on_postgres: System) -> None:
    system = on_postgres
    task = system.sh("sleep 0.1; echo {index}", over=Numbers("0-29"))
    after = system.sh("true", after=[task])
    wait_for(lambda: system.api.task(task)["counts"].get("finished", 0) >= 5, timeout_s=60)
    system.processes("barnstorm_server")[0].kill()
    wait_for(lambda: system.api.task(after)["ended_at"] is not None, timeout_s=90)
    assert system.api.task(task)["counts"] == {"finished": 30}
    assert system.api.task(after)["state"] == "finished"
    assert system.api.log(f"{task}.7").data == b"7\n"
    assert not (system.data_dir / "barnstorm.db").exists()
