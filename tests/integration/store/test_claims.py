"""Claims at the same time: whatever the number of threads and servers, a job is granted once."""

import threading
import time
from collections import Counter

import pytest
from sqlalchemy import text
from tests.services.postgres import Cluster

from barnstorm.model.pilots import Clock, LeaseRequest, PilotHello, Report
from barnstorm.model.queue import QueueConfig
from barnstorm_server.commands.lease import Dispatch, Lease
from barnstorm_server.commands.pilots import Hello
from barnstorm_server.commands.queues import PutQueue
from barnstorm_server.commands.submit import SubmitTask
from barnstorm_server.commands.tokens import NewToken, RecordTokens
from barnstorm_server.store.catalog import Catalog
from barnstorm_server.store.engine import Store
from barnstorm_server.store.task_cache import TaskCache
from barnstorm_server.store.writer import Writer

from .invariants import broken
from .world import BIG, array, spec

JOBS = 400
PILOTS = 6


class Server:
    """What one server process has: a store, a writer, and dispatching."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.catalog = Catalog()
        self.dispatch = Dispatch(self.catalog, TaskCache(), Clock(), self.store.is_sqlite)
        self.writer = Writer(self.store, lambda what: None)
        self.writer.start()

    def pilot(self, name: str) -> int:
        self.writer.do(RecordTokens("op", [NewToken(name, "join", "w", time.time() + 999, 1, "q")]))
        return self.writer.do(Hello(PilotHello(key=name, queue="q", shape=BIG), name, None))

    def refresh(self) -> None:
        with self.store.engine.connect() as connection:
            self.catalog.load(connection)

    def close(self) -> None:
        self.writer.close()
        self.store.close()


def run_all(servers: list[Server]) -> list[str]:
    """Have pilots of all servers work until there is nothing left; all attempts they were granted."""
    granted: list[str] = []
    errors: list[BaseException] = []

    def work(server: Server, pilot: int) -> None:
        reports: list[Report] = []
        idle = 0
        try:
            while idle < 3:
                request = LeaseRequest(BIG, 3, reports=reports)
                answer = server.writer.do(Lease(pilot, request, server.dispatch))
                assert all(result.status == "accepted" for result in answer.results)
                granted.extend(grant.attempt for grant in answer.grants)
                reports = [Report(grant.attempt, "succeeded") for grant in answer.grants]
                idle = 0 if reports else idle + 1
        except BaseException as error:
            errors.append(error)
            raise

    pilots = [(server, server.pilot(f"p{n}-{id(server)}")) for server in servers for n in range(PILOTS)]
    threads = [threading.Thread(target=work, args=one) for one in pilots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return granted


def check(servers: list[Server], granted: list[str]) -> None:
    assert [attempt for attempt, n in Counter(granted).items() if n > 1] == []
    assert len(granted) == JOBS
    with servers[0].store.engine.connect() as connection:
        states = connection.execute(text("SELECT state, count(*) FROM jobs GROUP BY state")).all()
        assert broken(connection) == []
    assert states == [("finished", JOBS)]


def begin(servers: list[Server]) -> None:
    servers[0].writer.do(PutQueue(QueueConfig("q"), "op"))
    for number in range(4):
        servers[0].writer.do(SubmitTask("ada", (), f"k{number}", spec(over=array(JOBS // 4), priority=number % 2)))
    for server in servers:
        server.refresh()


def test_threads_of_one_server_are_granted_each_job_once(url: str) -> None:
    servers = [Server(url)]
    begin(servers)
    granted = run_all(servers)
    check(servers, granted)
    servers[0].close()


@pytest.mark.postgres
def test_two_servers_on_one_postgresql_are_granted_each_job_once(cluster: Cluster) -> None:
    url = cluster.migrated()
    servers = [Server(url), Server(url)]
    begin(servers)
    granted = run_all(servers)
    check(servers, granted)
    for server in servers:
        server.close()
