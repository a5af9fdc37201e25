"""Silence, outages and clean ends: only silence that a server could hear costs a pilot its attempts."""

import signal
import time
from collections.abc import Callable

import pytest
from tests.services.server import Server
from tests.waiting import wait_for

from barnstorm.api.errors import NotFound

from .cast import Cast, array
from .load import Load

HEARTBEAT_S, LEASE_S = 0.2, 1.0
QUICK = {"heartbeat_s": HEARTBEAT_S, "lease_s": LEASE_S}


def state(cast: Cast, attempt: str) -> str:
    job, _, number = attempt.partition("/")
    return str(cast.ada.job(job)["attempt_list"][int(number) - 1]["state"])


def passed(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def test_pilots_are_told_the_clock_they_should_keep(own_server: Callable[..., Server]) -> None:
    cast = Cast(own_server(**QUICK), "clock")
    pilot = cast.pilot()
    for clock in (pilot.welcome.clock, pilot.lease(0).clock, pilot.beat().clock):
        assert (clock.heartbeat_s, clock.lease_s) == (HEARTBEAT_S, LEASE_S)


def test_a_silent_pilots_attempts_are_lost_and_its_late_word_changes_nothing(
    own_server: Callable[..., Server],
) -> None:
    cast = Cast(own_server(**QUICK), "silent")
    silent, task = cast.pilot(), cast.submit()
    attempt = silent.grant()
    wait_for(lambda: state(cast, attempt) == "lost", "the lease to end")
    other = cast.pilot()
    again = other.grant()
    assert again == f"{task}.0/2"
    with pytest.raises(NotFound):
        silent.report(attempt)
    with pytest.raises(NotFound):
        silent.beat(attempt)
    assert cast.server.ask("PUT", f"/v1/jobs/{task}.0/attempts/2/log/stdout", silent.token, b"x").code == "stale"
    assert other.report(again).status == "accepted"
    view = cast.ada.job(f"{task}.0")
    assert (view["state"], [one["state"] for one in view["attempt_list"]]) == ("finished", ["lost", "succeeded"])


def test_a_pilot_that_is_heard_keeps_its_attempts(own_server: Callable[..., Server]) -> None:
    cast = Cast(own_server(**QUICK), "heard")
    pilot, task = cast.pilot(), cast.submit()
    attempt = pilot.grant()
    over = passed(2.5 * LEASE_S)

    def heard() -> bool:
        assert pilot.beat(attempt).commands == []
        return over()

    wait_for(heard, "more than two leases to pass", every_s=HEARTBEAT_S)
    assert pilot.report(attempt).status == "accepted"
    assert cast.ada.task(task)["state"] == "finished"


def test_an_attempt_that_its_pilot_does_not_name_twice_is_lost_and_its_report_stale(
    own_server: Callable[..., Server],
) -> None:
    cast = Cast(own_server(**QUICK), "unnamed")
    pilot, _ = cast.pilot(), cast.submit()
    attempt = pilot.grant()

    def lost() -> bool:
        pilot.beat()
        return state(cast, attempt) == "lost"

    wait_for(lost, "the attempt to be lost", every_s=HEARTBEAT_S)
    result = pilot.report(attempt)
    assert (result.status, result.why) == ("stale", "it ended before, as lost")
    (command,) = pilot.beat(attempt).commands
    assert (command.verb, command.attempt) == ("stop", attempt)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_an_outage_longer_than_a_lease_loses_nothing(own_server: Callable[..., Server], how: str) -> None:
    """Neither a server that was dead nor one that was frozen could have heard anybody."""
    server = own_server(**QUICK)
    cast = Cast(server, "outage")
    wait_for(lambda: server.ask("GET", "/healthz").json["watchdog"]["rounds"], "the watchdog's first look")
    pilot, task = cast.pilot(), cast.submit(over=array(3))
    held = [grant.attempt for grant in pilot.lease(3).grants]
    server.kill() if how == "killed" else server.signal(signal.SIGSTOP)
    wait_for(passed(2 * LEASE_S), "an outage longer than the lease")
    if how == "killed":
        server.start()
        wait_for(lambda: server.ask("GET", "/healthz").json["watchdog"]["rounds"], "the watchdog to look")
    else:
        server.signal(signal.SIGCONT)
        wait_for(lambda: "leases are counted anew" in server.log.read_text(), "the watchdog to look")
    assert {state(cast, attempt) for attempt in held} == {"leased"}
    assert pilot.beat(*held).commands == []
    assert all(pilot.report(attempt).status == "accepted" for attempt in held)
    assert cast.ada.task(task)["counts"] == {"finished": 3}


def test_after_an_outage_silence_counts_anew(own_server: Callable[..., Server]) -> None:
    server = own_server(**QUICK)
    cast = Cast(server, "anew")
    pilot, _ = cast.pilot(), cast.submit()
    attempt = pilot.grant()
    server.kill()
    server.start()
    wait_for(lambda: state(cast, attempt) == "lost", "the lease to end")


def test_a_server_that_is_asked_to_stop_ends_in_peace_and_goes_on_where_it_was(
    own_server: Callable[..., Server],
) -> None:
    server = own_server()
    cast = Cast(server, "drain")
    load = Load(cast, pilots=2, tasks=4).start()
    for accepted in (2, 5):
        wait_for(lambda n=accepted: len(load.accepted) >= n or load.errors, "some tasks to be accepted")  # type: ignore[misc]
        assert server.stop() == 0
        assert not (server.data_dir / "server.url").exists()
        server.start()
    wait_for(lambda: load.is_over, "the load to end", timeout_s=60)
    load.stop()
    load.check()
    assert "Traceback" not in server.errors()


def test_a_second_server_on_the_same_data_says_why_it_does_not_start(own_server: Callable[..., Server]) -> None:
    server = own_server()
    second = Server(server.data_dir)
    second.log = server.log.with_suffix(".second")
    second.url = ""
    before = (server.data_dir / "server.url").read_text()
    try:
        second.start(wait=False)
        wait_for(lambda: not second.is_running, "the second server to give up")
        assert second.process is not None
        assert second.process.returncode == 1
        assert "another server uses" in second.errors()
    finally:
        second.kill()
        (server.data_dir / "server.url").write_text(before)
    assert server.ask("GET", "/healthz").status == 200


def test_a_database_of_a_newer_version_stops_the_start(own_server: Callable[..., Server]) -> None:
    import sqlite3

    server = own_server()
    server.stop()
    with sqlite3.connect(server.data_dir / "barnstorm.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_of_tomorrow'")
    connection.close()
    server.start(wait=False)
    wait_for(lambda: not server.is_running, "the server to give up")
    assert server.process is not None
    assert server.process.returncode == 1
    assert "upgrade Barnstorm" in server.errors()
