"""One server process for most tests: each uses its own users, queues and pilots. Those that kill it start their own."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.services.postgres import Cluster
from tests.services.server import Server

from .cast import Cast

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that everybody shares. At the end its log must hold no error of its own."""
    server = Server(tmp_path_factory.mktemp("shared") / "data", max_body_mib=1, max_upload_mib=2).start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.errors(), server.errors()[-5000:]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], scope="session")
def each_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server, and one on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("server")
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    data = tmp_path_factory.mktemp("postgres") / "data"
    server = Server(data, database_url=cluster.empty(), max_body_mib=1, max_upload_mib=2).start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.errors(), server.errors()[-5000:]


@pytest.fixture
def each_cast(each_server: Server) -> Cast:
    """As `cast`, on a server of each engine."""
    return Cast(each_server, f"x{next(_numbers)}")


@pytest.fixture
def cast(server: Server) -> Cast:
    """Users, a queue and pilots that no other test knows."""
    return Cast(server, f"x{next(_numbers)}")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers for one test; they are killed at its end, whatever became of them."""
    started: list[Server] = []

    def start(**settings: object) -> Server:
        server = Server(tmp_path / f"data{len(started)}", **settings)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.kill()
