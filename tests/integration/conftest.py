"""What integration tests of several parts share."""

import os
from collections.abc import Iterator

import pytest
from tests.services.postgres import Cluster, programs


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for all tests."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's server programs (initdb, postgres) are not installed")
    before = os.environ.get("BARNSTORM_TEST_DURABILITY")
    os.environ["BARNSTORM_TEST_DURABILITY"] = "off"
    cluster = Cluster(found)
    yield cluster
    cluster.stop()
    if before is None:
        del os.environ["BARNSTORM_TEST_DURABILITY"]
    else:
        os.environ["BARNSTORM_TEST_DURABILITY"] = before
