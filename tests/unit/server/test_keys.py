"""Keys: private files, rotation, several processes on one directory, pruning."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from barnstorm_server.auth.errors import UnknownKey, UnsafeFiles
from barnstorm_server.auth.keys import KeyRing

NOW = 1_800_000_000.0


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_first_start_makes_one_key_that_only_its_owner_can_use(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ring = KeyRing.open(tmp_path)
        ring.signing(NOW)
    finally:
        os.umask(before)
    (kid,) = ring.kids()
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert set(modes(tmp_path / "keys").values()) == {0o600}
    assert f"{kid}.pem" in modes(tmp_path / "keys")
    assert KeyRing.open(tmp_path).kids() == [kid]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711, 0o707])
def test_a_directory_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    KeyRing.open(tmp_path)
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(UnsafeFiles, match=r"mode 07\d\d.*(chmod 700)"):
        KeyRing.open(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    (kid,) = KeyRing.open(tmp_path).kids()
    (tmp_path / "keys" / f"{kid}.pem").chmod(mode)
    with pytest.raises(UnsafeFiles, match=r"chmod 600 .*\.pem"):
        KeyRing.open(tmp_path)


def test_a_link_and_a_broken_key_are_refused(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    path = ring.directory / f"{ring.kids()[0]}.pem"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFiles, match="symbolic link"):
        KeyRing.open(tmp_path)
    path.unlink()
    path.touch(0o600)
    with pytest.raises(UnsafeFiles, match="holds no key"):
        KeyRing.open(tmp_path)


def test_rotation_signs_with_the_new_key_and_verifies_with_both(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    old = ring.signing(NOW)
    new = ring.rotate()
    assert ring.signing(NOW).kid == new != old.kid
    assert ring.kids() == [old.kid, new]
    assert ring.verifying(old.kid) is old.public


def test_keys_of_another_process_are_found(tmp_path: Path) -> None:
    one, other = KeyRing.open(tmp_path), KeyRing.open(tmp_path)
    new = one.rotate()
    assert other.verifying(new).public_numbers() == one.verifying(new).public_numbers()
    newer = other.rotate()
    assert one.signing(NOW).kid == newer


@pytest.mark.parametrize("kid", ["k9-00000000", "", "../operator", "k1-ZZ"])
def test_an_unknown_key_is_told(tmp_path: Path, kid: str) -> None:
    with pytest.raises(UnknownKey):
        KeyRing.open(tmp_path).verifying(kid)


def test_a_key_is_kept_until_its_last_token_has_ended(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    old = ring.signing(NOW + 100 * 86_400).kid
    ring.signing(NOW)  # an earlier end takes nothing back
    new = ring.rotate()
    assert KeyRing.open(tmp_path).prune(NOW + 100 * 86_400) == []
    assert KeyRing.open(tmp_path).prune(NOW + 101 * 86_400) == [old]
    assert ring.kids() == [new]
    with pytest.raises(UnknownKey):
        ring.verifying(old)
    assert modes(ring.directory).keys() == {f"{new}.pem", ".lock"}


def test_the_signing_key_is_never_pruned(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    ring.signing(NOW)
    assert ring.prune(NOW + 10**9) == []


def test_pruning_sees_what_another_process_signed_for_longer(tmp_path: Path) -> None:
    one, other = KeyRing.open(tmp_path), KeyRing.open(tmp_path)
    one.signing(NOW)
    other.signing(NOW + 50 * 86_400)
    one.rotate()
    assert one.prune(NOW + 10 * 86_400) == []


def test_few_writes_for_many_tokens(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    (until,) = (ring.directory / f"{ring.signing(NOW).kid}.until",)
    written = until.stat().st_mtime_ns
    for second in range(1000):
        ring.signing(NOW + second)
    assert until.stat().st_mtime_ns == written


def _open(directory: str) -> list[str]:
    return KeyRing.open(Path(directory)).kids()


def test_two_first_starts_at_once_make_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(_open, [str(tmp_path)] * 4)
    assert len({tuple(kids) for kids in found}) == 1
    assert len(found[0]) == 1
