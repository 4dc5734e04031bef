"""Sentinels and clusters: found, followed when they change, both doors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hotclub import errors

from clocks import until
from doors import DOORS
from redis_clients import REDIS
from servers import RedisServer
from topologies import RedisCluster, RedisSentinels

QUICK = {"CONNECT_LIMIT": 2, "REPLY_LIMIT": 2, "BREAKER": 0.1}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """What puts a cache behind its sync or its async verbs."""
    with DOORS[request.param]() as through:
        yield through


def works(cache: Any) -> bool:
    """Whether it can be written to now; nothing else than connection errors is raised."""
    try:
        cache.set("works", 1)
    except (errors.CacheConnectionError, errors.ResponseError):
        return False
    return True


def test_a_failover_by_sentinels_is_followed(
    configure: Any, door: Any, redis_sentinels: RedisSentinels
) -> None:
    hosts = ",".join(f"{host}:{port}" for host, port in redis_sentinels.addresses)
    location = f"redis+sentinel://{hosts}/{redis_sentinels.SERVICE}/0"
    settings = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": QUICK}
    cache = door(configure(default=settings)["default"])
    cache.set("k", ["before"], None)
    assert cache.get("k") == ["before"]
    # Copies are made later: a failover before that would lose it.
    stored = redis_sentinels.primary.ask("GET", ":1:k")
    assert stored is not None
    until(lambda: redis_sentinels.replica.ask("GET", ":1:k") == stored)
    old = redis_sentinels.kill_primary()
    new = redis_sentinels.wait_for_failover(old)
    until(lambda: works(cache))
    assert cache.get("k") == ["before"]
    cache.set("k", ["after"], None)
    assert cache.incr("n") if cache.add("n", 1, None) else False
    assert new.ask("EXISTS", ":1:k", ":1:n") == 2


def test_a_cluster_serves_every_verb_wherever_the_slots_are(
    configure: Any, door: Any, redis_cluster: RedisCluster
) -> None:
    location = f"redis+cluster://{','.join(node.address for node in redis_cluster.nodes)}"
    settings = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": QUICK}
    cache = door(configure(default=settings)["default"])
    data = {f"k{number}": [number] for number in range(200)}
    assert cache.set_many(data, 1000) == []
    assert all(node.ask("DBSIZE") > 20 for node in redis_cluster.nodes)
    assert cache.get_many([*data, "missing"]) == data
    cache.set("n", 1)
    assert cache.incr("n", 4) == 5
    slot = redis_cluster.slot_of(":1:k7")
    source = redis_cluster.owner(slot)
    migration = redis_cluster.migrate(slot, (source + 1) % 3)
    assert cache.get("k7") == [7]
    migration.move_keys()
    assert cache.get("k7") == [7]
    cache.set("k7", "moved")
    migration.finish()
    assert cache.get("k7") == "moved"
    assert cache.get_many(list(data)) == {**data, "k7": "moved"}
    cache.delete_many(list(data)[:100])
    assert len(cache.get_many(list(data))) == 100
    assert cache.clear() is True
    assert [node.ask("DBSIZE") for node in redis_cluster.nodes] == [0, 0, 0]


@pytest.mark.parametrize(
    ("read_from", "seen"),
    [("replicas", {"replica"}), ("primary", {"primary"}), ("any", {"primary", "replica"})],
)
def test_reads_go_where_they_are_sent(
    configure: Any, door: Any, redis_server: RedisServer, read_from: str, seen: set[str]
) -> None:
    with RedisServer() as other:
        servers = {"primary": redis_server, "replica": other}
        for name, server in servers.items():
            server.ask("SET", ":1:who", f"\x80\x05\x8c{chr(len(name))}{name}.".encode("latin-1"))
        location = [server.url_db(0) for server in servers.values()]
        settings = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": {"READ_FROM": read_from}}
        cache = door(configure(default=settings)["default"])
        assert {cache.get("who") for _ in range(40)} == seen
        cache.set("written", 1)
        assert redis_server.ask("EXISTS", ":1:written") == 1
        assert other.ask("EXISTS", ":1:written") == 0
