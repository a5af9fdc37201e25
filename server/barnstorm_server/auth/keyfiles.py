"""One ES256 key as files: `<kid>.pem` holds the key, `<kid>.until` when the last token that it signed ends."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .errors import UnsafeFiles
from .private import refuse_unless_private, write_atomically

_PEM = re.compile(r"(k([1-9][0-9]*)-[0-9a-f]{8})\.pem\Z")


@dataclass(frozen=True)
class Key:
    """A key pair; `number` orders keys by age."""

    kid: str
    number: int
    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey


def list_kids(directory: Path) -> dict[str, int]:
    """The key ids there are, with their numbers."""
    return {match[1]: int(match[2]) for match in map(_PEM.match, os.listdir(directory)) if match}


def make_key(directory: Path, number: int) -> Key:
    """Make a key and its file, mode 0600, whole or not at all."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    kid = f"k{number}-{digest.finalize().hex()[:8]}"
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomically(directory / f"{kid}.pem", pem)
    return Key(kid, number, private, public)


def read_key(directory: Path, kid: str, number: int) -> Key:
    """Raises UnsafeFiles when others could use the file or it holds no ES256 key, FileNotFoundError when it is gone."""
    path = directory / f"{kid}.pem"
    refuse_unless_private(path)
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnsafeFiles(f"{path} holds no key: move it away (the tokens it signed are then refused)") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise UnsafeFiles(f"{path} holds no ES256 key: move it away")
    return Key(kid, number, private, private.public_key())


def read_until(directory: Path, kid: str) -> float:
    """When the last token signed by a key ends; 0 for one that signed none. Raises UnsafeFiles for other words."""
    path = directory / f"{kid}.until"
    try:
        return float(path.read_text())
    except FileNotFoundError:
        return 0.0
    except ValueError as error:
        raise UnsafeFiles(f"{path} holds no time: write the epoch seconds until which {kid} is needed") from error


def write_until(directory: Path, kid: str, until: float) -> None:
    """On disk when it returns."""
    write_atomically(directory / f"{kid}.until", f"{until:.0f}\n".encode())


def delete_key(directory: Path, kid: str) -> None:
    """The key first: without it nothing is signed or verified any more."""
    (directory / f"{kid}.pem").unlink(missing_ok=True)
    (directory / f"{kid}.until").unlink(missing_ok=True)
