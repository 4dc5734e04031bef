"""The memcached servers that tests share: one of a kind for the whole run, as new for each test.

Without memcached such a test is skipped, and where CI is set it fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memcached_servers import MemcachedFleet, MemcachedServer
from servers import renew_used


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[MemcachedServer]:
    """One server of default options; running and empty when a test begins."""
    with MemcachedServer() as server:
        yield server


@pytest.fixture(scope="session")
def memcached_fleet() -> Iterator[MemcachedFleet]:
    """Three servers; running and empty when a test begins."""
    with MemcachedFleet() as fleet:
        yield fleet


SHARED = ("memcached_server", "memcached_fleet")


@pytest.fixture(autouse=True)
def _shared_memcached_is_as_new(request: pytest.FixtureRequest) -> None:
    """Before each test that uses them: whatever the one before did to them."""
    renew_used(request, SHARED)
