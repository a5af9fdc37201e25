"""Tokens: what goes in comes out, and nothing else is believed."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from barnstorm_server.auth.errors import BadToken
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.principal import Principal
from barnstorm_server.auth.tokens import TokenAuthority


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """An authority whose clock and revocations a test sets."""

    def __init__(self, directory: Path) -> None:
        self.clock, self.revoked, self.asked = Clock(), set[str](), 0
        self.keys = KeyRing.open(directory)
        self.authority = TokenAuthority(self.keys, self._is_revoked, self.clock, remembered=10)

    def _is_revoked(self, jti: str) -> bool:
        self.asked += 1
        return jti in self.revoked

    def claims(self, **other: Any) -> dict[str, Any]:
        """Those of a good token."""
        good = {"iss": "barnstorm", "aud": "barnstorm-server", "sub": "ada", "jti": "x1", "kind": "operator"}
        times = {"iat": int(self.clock.now), "exp": int(self.clock.now) + 60}
        return {name: value for name, value in {**good, **times, **other}.items() if value is not None}

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        key = self.keys.signing(self.clock.now + 60)
        return jwt.encode(claims, key.private, "ES256", {"kid": key.kid, **header})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refused(world: World, token: str) -> str:
    """The reason of a refusal; it never holds the token."""
    with pytest.raises(BadToken) as caught:
        world.authority.verify(token)
    for part in filter(lambda part: len(part) > 8, token.split(".")):
        assert part not in str(caught.value)
    return caught.value.message


def test_what_is_issued_is_verified(world: World) -> None:
    issued = world.authority.issue("pilot", "p7", 600, ("a", "b"), ("LOCAL",), pilot=7, worker=3, uses=2)
    expected = Principal("pilot", "p7", ("a", "b"), ("LOCAL",), issued.jti, world.clock.now + 600, 7, 3, 2)
    assert world.authority.verify(issued.token) == expected
    assert world.authority.verify(issued.token) == expected
    assert issued.token not in repr(issued)


def test_two_tokens_are_never_the_same(world: World) -> None:
    assert world.authority.issue("user", "ada", 60).token != world.authority.issue("user", "ada", 60).token


def test_the_end_counts_for_remembered_tokens_too(world: World) -> None:
    token = world.authority.issue("user", "ada", 60).token
    world.authority.verify(token)
    world.clock.now += 64
    world.authority.verify(token)  # within the leeway
    world.clock.now += 3600
    assert "ended 1 h ago" in refused(world, token)
    assert "jobctl login" in refused(world, token)


def test_a_revoked_token_is_refused_at_once(world: World) -> None:
    issued = world.authority.issue("user", "ada", 60)
    world.authority.verify(issued.token)
    world.revoked.add(issued.jti)
    assert f"({issued.jti}) was revoked" in refused(world, issued.token)


def test_memory_is_bounded_and_revocation_is_asked_on_each_use(world: World) -> None:
    tokens = [world.authority.issue("user", f"u{n}", 60).token for n in range(50)]
    for token in tokens * 2:
        world.authority.verify(token)
    assert world.asked == 100
    assert len(world.authority._verified) == 10


def test_a_foreign_key_is_refused(world: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    assert "another server" in refused(world, other.signed(other.claims()))
    ours = world.keys.kids()[0]  # signed by another key under our key's name
    assert "signature" in refused(world, other.signed(other.claims(), kid=ours))


def test_tokens_of_a_rotated_key_stay_good(world: World) -> None:
    token = world.authority.issue("user", "ada", 30 * 86_400).token
    world.keys.rotate()
    fresh = TokenAuthority(world.keys, lambda jti: False, world.clock)
    assert fresh.verify(token).subject == "ada"
    world.keys.prune(world.clock.now + 60)
    assert fresh.verify(world.authority.issue("user", "bob", 60).token).subject == "bob"
    assert TokenAuthority(world.keys, lambda jti: False, world.clock).verify(token).subject == "ada"


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_no_other_algorithm_is_believed(world: World) -> None:
    key = world.keys.signing(world.clock.now)
    public = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for alg, sign in (
        ("none", lambda text: b""),
        ("None", lambda text: b""),
        ("HS256", lambda text: hmac.new(public, text, hashlib.sha256).digest()),
        ("HS512", lambda text: hmac.new(public, text, hashlib.sha512).digest()),
    ):
        text = encoded({"alg": alg, "typ": "JWT", "kid": key.kid}) + "." + encoded(world.claims())
        refused(world, text + "." + encoded(sign(text.encode())))
    other = ec.generate_private_key(ec.SECP384R1())
    refused(world, jwt.encode(world.claims(), other, "ES384", {"kid": key.kid}))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_part_is_refused(world: World, part: int) -> None:
    parts = world.authority.issue("user", "ada", 60).token.split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]
    refused(world, ".".join(parts))


def test_claims_of_one_token_under_the_signature_of_another(world: World) -> None:
    low = world.authority.issue("user", "ada", 60).token.split(".")
    high = world.authority.issue("operator", "root", 60).token.split(".")
    refused(world, ".".join([low[0], high[1], low[2]]))


@pytest.mark.parametrize(
    "other",
    [
        {"aud": "somebody-else"}, {"aud": None}, {"iss": "somebody-else"}, {"iss": None}, {"exp": None}, {"jti": None},
        {"sub": None}, {"iat": None}, {"kind": None}, {"kind": "root"}, {"kind": 7}, {"sub": 7}, {"exp": "soon"},
        {"exp": 10**400}, {"exp": -1}, {"groups": "all"}, {"groups": [1]}, {"queues": {}}, {"pilot": "7"},
        {"kind": "pilot"}, {"uses": True},
    ],
)  # fmt: skip
def test_signed_claims_must_be_whole_and_ours(world: World, other: dict[str, Any]) -> None:
    world.authority.verify(world.signed(world.claims()))
    refused(world, world.signed(world.claims(**other)))


@pytest.mark.parametrize("header", [{"kid": None}, {"kid": 7}, {"kid": "../keys/x"}, {"crit": ["x"]}])
def test_the_header_must_name_a_key(world: World, header: dict[str, Any]) -> None:
    key = world.keys.signing(world.clock.now)
    claims = encoded(world.claims())
    head = encoded({"alg": "ES256", "typ": "JWT", "kid": key.kid, **header})
    text = f"{head}.{claims}".encode()
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(text, key.private)
    refused(world, f"{text.decode()}.{encoded(signature)}")


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b.c", "eyJ", "ü.ü.ü", "\ud800.a.b", "x" * 100_000, "eyJhbGciOiJFUzI1NiJ9..", "null.null.null"],
)
def test_what_is_no_token_is_refused_with_a_word(world: World, text: str) -> None:
    assert refused(world, text)
