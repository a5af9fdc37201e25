"""The first tokens: made once, left while good, renewed in time, private."""

import stat
from pathlib import Path

import pytest

from barnstorm_server.auth.bootstrap import ensure_tokens
from barnstorm_server.auth.errors import UnsafeFiles
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.tokens import Issued, TokenAuthority

DAY = 86_400
START = 1_800_000_000.0


class World:
    def __init__(self, directory: Path) -> None:
        self.directory, self.now, self.revoked = directory, START, set[str]()
        self.recorded: list[tuple[str, str]] = []
        self.authority = TokenAuthority(KeyRing.open(directory), self.revoked.__contains__, lambda: self.now)

    def ensure(self, user: str = "ada") -> dict[str, str]:
        """The tokens' texts by kind."""
        paths = ensure_tokens(self.authority, self.directory, user, self._record)
        return {kind: path.read_text() for kind, path in paths.items()}

    def _record(self, kind: str, subject: str, issued: Issued) -> None:
        self.recorded.append((kind, subject))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_first_start(world: World) -> None:
    found = world.ensure()
    operator = world.authority.verify(found["operator"].strip())
    harvester = world.authority.verify(found["harvester"].strip())
    assert (operator.kind, operator.subject, operator.expires_at) == ("operator", "ada", START + 365 * DAY)
    assert (harvester.kind, harvester.subject, harvester.queues) == ("harvester", "local", ())
    assert world.recorded == [("operator", "ada"), ("harvester", "local")]
    tokens = world.directory / "tokens"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in tokens.iterdir()} == {0o600}
    assert {path.name for path in tokens.iterdir()} == {"operator.token", "harvester.token"}


def test_good_tokens_are_left_and_old_ones_renewed(world: World) -> None:
    first = world.ensure()
    world.now += 334 * DAY
    assert world.ensure() == first
    world.now += 2 * DAY
    assert not set(world.ensure().values()) & set(first.values())


def test_a_revoked_foreign_or_broken_token_is_replaced(world: World) -> None:
    first = world.ensure()
    world.revoked.add(world.authority.verify(first["operator"].strip()).jti)
    second = world.ensure()
    assert second["operator"] != first["operator"]
    assert second["harvester"] == first["harvester"]
    assert world.ensure("bob")["operator"] != second["operator"]
    (world.directory / "tokens" / "harvester.token").write_bytes(b"\xff\x00")
    world.authority.verify(world.ensure()["harvester"].strip())


def test_a_token_that_others_can_read_stops_the_start(world: World) -> None:
    world.ensure()
    (world.directory / "tokens" / "operator.token").chmod(0o644)
    with pytest.raises(UnsafeFiles, match=r"chmod 600 .*operator\.token"):
        world.ensure()
