"""A server with certificate files speaks TLS, to those who know its certificate."""

import datetime
import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.waiting import wait_for

from barnstorm.api.connection import Connection
from barnstorm.api.errors import Unreachable
from barnstorm.api.people import PeopleApi
from barnstorm.api.requests_transport import RequestsTransport
from barnstorm.api.transport import StdlibTransport, Transport


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return cert_file, key_file


def test_a_server_with_certificate_files_speaks_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    data = tmp_path / "data"
    environ = {
        **os.environ,
        "BARNSTORM_DATA_DIR": str(data),
        "BARNSTORM_SERVER_PORT": "0",
        "BARNSTORM_SERVER_TLS_CERT": str(cert),
        "BARNSTORM_SERVER_TLS_KEY": str(key),
    }
    with subprocess.Popen([sys.executable, "-m", "barnstorm_server"], env=environ, stderr=subprocess.DEVNULL) as server:
        try:
            url = wait_for(lambda: (data / "server.url").exists() and (data / "server.url").read_text().strip())
            assert url.startswith("https://127.0.0.1:")
            token = (data / "tokens" / "operator.token").read_text().strip()
            kinds: tuple[type[Transport], ...] = (StdlibTransport, RequestsTransport)
            for kind in kinds:
                transport = kind(url, str(cert))  # type: ignore[call-arg]
                assert PeopleApi(Connection(transport, token)).whoami()["kind"] == "operator"
                transport.close()
            with pytest.raises(Unreachable):
                PeopleApi(Connection(StdlibTransport(url), token)).whoami()
        finally:
            server.terminate()
