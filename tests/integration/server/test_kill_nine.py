"""kill -9 of the server before and after commits, under load: what was accepted is there, and each job ends once."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine

from tests.integration.store.invariants import broken
from tests.services.postgres import Cluster
from tests.services.server import Server
from tests.waiting import wait_for

from .cast import Cast
from .load import Load

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
# At the n-th commit after each start. The first ones fall into submissions, the later ones into leases and reports.
COMMITS = (4, 11, 25)


def survive(server: Server, faults: list[str]) -> None:
    """Run a load through a server that kills itself at each of these points, and check what is left of it."""
    cast = Cast(server, "nine")
    load = Load(cast)
    for fault in faults:
        server.kill()
        server.start(fault)
        if fault == faults[0]:
            load.start()
        wait_for(lambda: not server.is_running or load.errors, f"the server to reach {fault}")
        assert not load.errors, load.errors
        assert server.process is not None
        assert server.process.returncode == -9
    server.start()
    wait_for(lambda: load.is_over, "the load to end", timeout_s=60)
    load.stop()
    load.check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_accepted_is_lost_and_no_job_ends_twice(
    own_server: Callable[..., Server], request: pytest.FixtureRequest, when: str, engine: str
) -> None:
    settings: dict[str, str] = {}
    if engine == "postgres":
        cluster: Cluster = request.getfixturevalue("cluster")
        settings["database_url"] = cluster.empty()
    server = own_server(**settings)
    survive(server, [f"commit:{when}:{commit}" for commit in COMMITS])
    assert server.stop() == 0
    engine_ = create_engine(settings.get("database_url") or f"sqlite:///{server.data_dir}/barnstorm.db")
    with engine_.connect() as connection:
        assert broken(connection) == []
    engine_.dispose()


def test_a_fault_point_without_a_number_is_the_first_time(own_server: Callable[..., Server]) -> None:
    server = own_server()
    server.kill()
    server.start("commit:before", wait=False)
    wait_for(lambda: not server.is_running, "the server to reach its first commit")
    server.start()
    assert server.ask("GET", "/healthz").status == 200


def test_a_lost_answer_to_a_submission_is_asked_for_again(own_server: Callable[..., Server]) -> None:
    """Committed but not answered: the repeat with the same key gets the task that is there."""
    server = own_server()
    cast = Cast(server, "repeat")
    first = cast.ada.submit(cast.spec(), "the-key")["id"]
    server.kill()
    server.start()
    assert cast.ada.submit(cast.spec(), "the-key")["id"] == first
    assert [task["id"] for task in cast.ada.tasks()] == [first]
