"""The harvester's database: what was put is there after a crash, as it was."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.shape import Shape
from barnstorm_harvester.store import Store, StoreError, Worker

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
times = st.none() | st.floats(0, 2e9)
rows = st.builds(
    Worker,
    key=st.uuids().map(lambda one: one.hex),
    queue=st.just("q"),
    lane=texts,
    shape=st.builds(Shape, cores=st.integers(1, 64), gpus=st.integers(0, 4)),
    worker=texts,
    state=st.sampled_from(["intended", "planned", "submitting", "submitted", "running", "finished", "lost"]),
    batch_id=texts,
    message=texts,
    exit_code=st.none() | st.integers(-300, 300),
    planned_at=st.floats(0, 2e9),
    submitted_at=times,
    missing=st.integers(0, 9),
    unknown_since=times,
    dirty=st.booleans(),
    pilot=st.just(""),
)


@given(st.lists(rows, max_size=8, unique_by=lambda one: one.key))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, workers: list[Worker]) -> None:
    path = tmp_path_factory.mktemp("store") / "harvester.db"
    store = Store(path)
    store.put(workers)
    again = Store(path)  # the first is not closed: as after a crash
    assert {one.key: one for one in again.of_queue("q")} == {one.key: one for one in workers}
    store.close()
    again.close()


def test_put_again_changes_the_row(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    worker = Worker("k", "q", "all", Shape())
    store.put([worker])
    worker.state, worker.worker = "planned", "w1"
    store.put([worker])
    assert [(one.state, one.worker) for one in store.of_queue("q")] == [("planned", "w1")]
    assert store.queues_with_workers() == ["q"]
    store.drop(["k", "never there"])
    assert store.of_queue("q") == []
    store.close()


def test_a_group_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    bad = Worker("b", "q", "all", Shape(), state="intended")
    bad.message = object()  # type: ignore[assignment]  # nothing that SQLite takes
    with pytest.raises(sqlite3.Error):
        store.put([Worker("a", "q", "all", Shape()), bad])
    assert store.of_queue("q") == []
    store.put([Worker("a", "q", "all", Shape())])
    assert len(store.of_queue("q")) == 1
    store.close()


def test_durable_settings_are_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    db = store._db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    store.close()


def test_queues_are_remembered(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    assert store.queue("q") is None
    store.remember_queue("q", {"name": "q"})
    store.remember_queue("q", {"name": "q", "site": "here"})
    assert store.queue("q") == {"name": "q", "site": "here"}
    store.close()


@pytest.mark.parametrize("what", ["garbage", "newer"])
def test_a_database_that_cannot_be_used(tmp_path: Path, what: str) -> None:
    path = tmp_path / "db"
    if what == "garbage":
        path.write_bytes(b"this is no database at all" * 100)
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer version" if what == "newer" else "not a database"):
        Store(path)
