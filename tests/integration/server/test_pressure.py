"""Too much at once, and disks that are full: everybody is told to come again, and nothing is half done."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.services.server import Server

from barnstorm.api.errors import Busy
from barnstorm.model.ids import AttemptId
from barnstorm_server.files.blobs import BlobFiles
from barnstorm_server.files.logs import LogFiles
from barnstorm_server.store.errors import Invalid, NotFound, TooLarge

from .cast import Cast, digest_of

ATTEMPT = AttemptId(7, 0, 1)


def test_a_full_queue_of_writes_sends_people_away_until_they_come_again(own_server: Callable[..., Server]) -> None:
    server = own_server(writer_queue=1)
    cast = Cast(server, "full")
    accepted: list[int] = []
    turned_away: list[Busy] = []

    def submit(number: int) -> None:
        try:
            server.people(cast.ada_token).submit(cast.spec(), f"k{number}")
        except Busy as error:
            turned_away.append(error)
        accepted.append(int(server.people(cast.ada_token, patience_s=60).submit(cast.spec(), f"k{number}")["id"]))
        server.hang_up()

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(accepted)) == 40
    assert {task["id"] for task in cast.ada.tasks()} == set(accepted)
    assert all(error.retry_after_s > 0 for error in turned_away)


def test_a_nearly_full_disk_takes_no_files_but_keeps_its_word_for_the_rest(own_server: Callable[..., Server]) -> None:
    server = own_server(min_free_disk_mib=10**9)
    cast = Cast(server, "disk")
    pilot, _ = cast.pilot(), cast.submit()
    attempt = pilot.grant()
    job = attempt.partition("/")[0]
    for path, token in (
        (f"/v1/blobs/{digest_of(b'x')}", cast.ada_token),
        (f"/v1/jobs/{job}/attempts/1/log/stdout?offset=0", pilot.token),
    ):
        said = server.ask("PUT", path, token, b"x")
        assert (said.status, said.code) == (503, "busy")
        assert float(said.headers["retry-after"]) > 0
    assert pilot.report(attempt).status == "accepted"


class TestLogFiles:
    def test_a_write_that_fails_leaves_what_was_acknowledged(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logs = LogFiles(tmp_path, 1000)
        logs.append(ATTEMPT, "stdout", 0, b"kept")

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("os.fdatasync", full)
            with pytest.raises(OSError, match="No space"):
                logs.append(ATTEMPT, "stdout", 4, b"lost")
        assert logs.size(ATTEMPT, "stdout") == 4
        assert logs.append(ATTEMPT, "stdout", 4, b" again").kept == 10
        assert logs.read(ATTEMPT, "stdout", 0, 100) == b"kept again"

    def test_a_new_log_is_on_disk_with_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[Path] = []
        monkeypatch.setattr("barnstorm_server.files.logs.sync_folder", synced.append)
        logs = LogFiles(tmp_path, 1000)
        for offset in range(3):
            logs.append(ATTEMPT, "stdout", offset, b"x")
        assert set(synced) == {tmp_path, tmp_path / "7"}
        assert len(synced) == 2

    def test_pieces_from_many_threads_are_kept_once(self, tmp_path: Path) -> None:
        logs = LogFiles(tmp_path, 100_000)
        whole = bytes(number % 251 for number in range(20_000))

        def send() -> None:
            at = 0
            while at < len(whole):
                at = logs.append(ATTEMPT, "stdout", at, whole[at : at + 777]).kept

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert logs.read(ATTEMPT, "stdout", 0, 100_000) == whole


class TestBlobFiles:
    DATA = b"some bytes"

    def test_what_a_killed_server_was_writing_is_swept_away(self, tmp_path: Path) -> None:
        blobs = BlobFiles(tmp_path, 1000)
        incoming = blobs.incoming(digest_of(self.DATA))
        incoming.add(self.DATA)
        assert len(list((tmp_path / "incoming").iterdir())) == 1
        BlobFiles(tmp_path, 1000)
        assert list((tmp_path / "incoming").iterdir()) == []
        incoming.__exit__()

    def test_a_blob_is_there_whole_or_not_at_all(self, tmp_path: Path) -> None:
        blobs, digest = BlobFiles(tmp_path, 1000), digest_of(self.DATA)
        with blobs.incoming(digest) as incoming:
            incoming.add(self.DATA[:5])
            assert blobs.size(digest) is None
        assert blobs.size(digest) is None
        with blobs.incoming(digest) as incoming:
            incoming.add(self.DATA[:5])
            incoming.add(self.DATA[5:])
            incoming.keep()
        assert blobs.size(digest) == len(self.DATA)
        assert b"".join(blobs.pieces(digest, 2, 5)) == self.DATA[2:6]
        assert list((tmp_path / "incoming").iterdir()) == []

    def test_other_bytes_and_too_many_are_refused(self, tmp_path: Path) -> None:
        blobs = BlobFiles(tmp_path, 8)
        with blobs.incoming(digest_of(b"other")) as incoming:
            incoming.add(b"x" * 8)
            with pytest.raises(Invalid):
                incoming.keep()
            with pytest.raises(TooLarge):
                incoming.add(b"x")
        with pytest.raises(NotFound):
            list(blobs.pieces(digest_of(b"other"), 0, 1))
