"""The servers that tests share: one of a kind for the whole run, as new for each test.

Without redis-server such a test is skipped, and where CI is set it fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fault_proxy import FaultProxy
from servers import RedisOptions, RedisServer, need, renew_used
from topologies import RedisCluster, RedisSentinels


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server without a password; running and empty when a test begins."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_tls() -> Iterator[RedisServer]:
    """One server that speaks only TLS and wants a client's certificate of ``certificates()``."""
    need("openssl")
    with RedisServer(RedisOptions(tls="client certificate")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Three primaries; running and empty when a test begins, slots wherever they were left."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisSentinels]:
    """A primary, a replica, three sentinels; well and empty when a test begins."""
    with RedisSentinels() as sentinels:
        yield sentinels


@pytest.fixture
def fault_proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    """A proxy in front of ``redis_server``, for this test."""
    with FaultProxy(redis_server.port) as proxy:
        yield proxy


SHARED = ("redis_server", "redis_tls", "redis_cluster", "redis_sentinels")


@pytest.fixture(autouse=True)
def _shared_servers_are_as_new(request: pytest.FixtureRequest) -> None:
    """Before each test that uses them: whatever the one before did to them."""
    renew_used(request, SHARED)
