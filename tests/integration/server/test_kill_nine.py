"""kill -9 of the server before and after commits, under load: what was accepted is there, and each job ends once."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine
from tests.integration.store.invariants import broken
from tests.services.postgres import Cluster
from tests.services.server import Server
from tests.waiting import wait_for

from barnstorm.api.errors import Unreachable

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


@pytest.mark.parametrize(("when", "is_there"), [("before", False), ("after", True)])
def test_who_was_not_answered_asks_again_and_gets_one_task(
    own_server: Callable[..., Server], when: str, is_there: bool
) -> None:
    """Killed before the commit the task is not there; killed after it the repeat finds it."""
    server = own_server()
    cast = Cast(server, "repeat")
    server.kill()
    server.start(f"commit:{when}:2")  # the first commit is brokerage's, which looks at its queues when it starts
    wait_for(lambda: server.ask("GET", "/healthz").json["brokerage"]["rounds"], "brokerage's first round")
    with pytest.raises(Unreachable):
        cast.ada.submit(cast.spec(), "the-key")
    wait_for(lambda: not server.is_running, "the server to die")
    server.start()
    there = [task["id"] for task in cast.ada.tasks()]
    assert bool(there) is is_there
    again = cast.ada.submit(cast.spec(), "the-key")["id"]
    assert [task["id"] for task in cast.ada.tasks()] == [again]
    assert there in ([], [again])
