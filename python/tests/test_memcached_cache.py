"""Memcached through Django: keys, absent nodes, forks, and settings that are refused."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest
from django.core.cache.backends.base import InvalidCacheKey
from django.core.exceptions import ImproperlyConfigured
from hotclub import errors
from hotclub.django import MemcachedCache, PyLibMCCache, PyMemcacheCache

from clocks import until
from memcached_servers import MemcachedFleet, MemcachedServer

QUICK = {"REPLY_LIMIT": 0.9, "CONNECT_LIMIT": 0.9, "BREAKER": 0.1}


def settings(location: Any, **options: Any) -> dict[str, Any]:
    """An alias of ours."""
    return {"BACKEND": "hotclub.django.MemcachedCache", "LOCATION": location, "OPTIONS": options}


@pytest.fixture
def cache(configure: Any, memcached_server: MemcachedServer) -> Any:
    """A cache on one node."""
    return configure(default=settings(memcached_server.address))["default"]


def test_a_key_that_memcached_would_refuse_is_refused(cache: Any) -> None:
    for verb in (
        lambda key: cache.get(key),
        lambda key: cache.set(key, 1),
        lambda key: cache.add(key, 1),
        lambda key: cache.incr(key),
        lambda key: cache.touch(key),
        lambda key: cache.delete(key),
        lambda key: cache.has_key(key),
        lambda key: cache.get_many(["fine", key]),
        lambda key: cache.set_many({"fine": 1, key: 1}),
        lambda key: cache.delete_many(["fine", key]),
    ):
        for bad, words in (("a b", "contains characters"), ("x" * 251, "longer than 250")):
            with pytest.raises(InvalidCacheKey, match=words):
                verb(bad)
        # Passes Django, which counts characters, and not the server, which counts bytes.
        with pytest.raises(errors.InvalidKeyError, match="bytes") as error:
            verb("é" * 200)
        assert isinstance(error.value, InvalidCacheKey)
    assert cache.get("fine") is None


def test_async_verbs_answer_as_the_others(cache: Any) -> None:
    async def work() -> None:
        await cache.aset("a", [1])
        assert await cache.aget("a") == [1]
        assert await cache.aset_many({"b": 2, "c": 3}) == []
        assert await cache.aget_many(["a", "b", "d"]) == {"a": [1], "b": 2}
        assert await cache.aincr("b", 5) == 7
        assert await cache.adelete("a") is True
        assert await cache.ahas_key("a") is False
        await cache.aclear()
        assert await cache.aget("b") is None

    asyncio.run(work())


def test_what_an_absent_node_was_not_told_is_done_before_it_is_read_again(
    configure: Any, memcached_server: MemcachedServer
) -> None:
    cache = configure(default=settings(memcached_server.address, **QUICK))["default"]
    cache.set_many({"deleted": "old", "written": "old", "touched": "old", "kept": "old"})
    memcached_server.pause()
    began = time.monotonic()
    assert cache.get("kept") is None
    assert cache.get_many(["kept", "written"]) == {}
    assert cache.set("written", "new") is None
    assert cache.set_many({"written": "new", "other": 1}) == ["written", "other"]
    for verb in (
        lambda: cache.delete("deleted"),
        lambda: cache.delete_many(["deleted"]),
        lambda: cache.add("added", 1),
        lambda: cache.incr("n"),
        lambda: cache.touch("touched"),
    ):
        with pytest.raises(errors.CacheConnectionError, match=memcached_server.address):
            verb()
    assert time.monotonic() - began < 15
    memcached_server.resume()
    until(lambda: cache.get("kept") == "old")
    assert cache.get_many(["deleted", "written", "touched"]) == {"touched": "old"}


def test_reads_of_an_absent_node_are_errors_where_that_is_asked_for(
    configure: Any, memcached_server: MemcachedServer
) -> None:
    options = {**QUICK, "ABSENT_NODES": "raise"}
    cache = configure(default=settings(memcached_server.address, **options))["default"]
    memcached_server.kill()
    for verb in (
        lambda: cache.get("a"),
        lambda: cache.set("a", 1),
        lambda: cache.set_many({"a": 1}),
    ):
        with pytest.raises(errors.CacheConnectionError, match=memcached_server.address):
            verb()
    memcached_server.restart()
    until(lambda: _works(cache))


def _works(cache: Any) -> bool:
    try:
        cache.set("a", 1)
    except errors.CacheConnectionError:
        return False
    return bool(cache.get("a") == 1)


def test_one_dead_node_of_three_costs_its_own_keys(
    configure: Any, memcached_fleet: MemcachedFleet
) -> None:
    cache = configure(default=settings(memcached_fleet.addresses, **QUICK))["default"]
    data = {f"k{number}": number for number in range(300)}
    assert cache.set_many(data) == []
    memcached_fleet.servers[1].kill()
    left = cache.get_many(data)
    assert 100 < len(left) < 290
    assert set(cache.set_many(data)) == set(data) - set(left)
    with pytest.raises(errors.CacheConnectionError, match=memcached_fleet.addresses[1]):
        cache.clear()
    assert cache.get_many(data) == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_both_sides_of_a_fork_go_on(configure: Any, memcached_fleet: MemcachedFleet) -> None:
    """Each with connections of its own: no reply reaches the other one."""
    caches = configure(
        default=settings(memcached_fleet.addresses),
        other=settings(memcached_fleet.addresses[:1], DISTRIBUTION="modula"),
    )
    aliases = [caches["default"], caches["other"]]
    for cache in aliases:
        # Every node is asked once: a child would pay again what earlier tests left owed to one.
        cache.get_many(map(str, range(100)))
        cache.set("before", "fork")
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            _go_on(aliases, "child")
        except BaseException:
            os._exit(1)
        os._exit(0)
    _go_on(aliases, "parent")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "1: it failed in the child; -14: it hung"


def _go_on(aliases: list[Any], who: str) -> None:
    for turn in range(200):
        for cache in aliases:
            assert cache.get("before") == "fork"
            cache.set(who, turn)
            assert cache.get(who) == turn
            keys = {f"{who}-{number}": f"{who} {turn}" for number in range(10)}
            assert cache.set_many(keys) == []
            assert cache.get_many(keys) == keys


def test_locations_are_read_as_django_reads_them(memcached_fleet: MemcachedFleet) -> None:
    one, *others = memcached_fleet.addresses
    for location in (
        [one, *others],
        f"{one};{others[0]};{others[1]}",
        f"{one},{others[0]},{others[1]}",
    ):
        cache = MemcachedCache(location, {})
        assert cache.set_many({f"k{number}": 1 for number in range(30)}) == []
        assert all(server.stat("curr_items") != "0" for server in memcached_fleet.servers)


@pytest.mark.parametrize(
    ("made", "location", "options", "words"),
    [
        (MemcachedCache, "", {}, "LOCATION names no node"),
        (MemcachedCache, "a:port", {}, "host:port is expected"),
        (
            MemcachedCache,
            "a",
            {"CONECT_LIMIT": 1},
            "unknown option 'CONECT_LIMIT'; known are ABSENT_NODES",
        ),
        (
            MemcachedCache,
            "a",
            {"CONNECT_LIMIT": 0},
            "CONNECT_LIMIT must be a number of seconds above 0",
        ),
        (MemcachedCache, "a", {"POOL_SIZE": 0}, "POOL_SIZE must be a whole number above 0"),
        (
            MemcachedCache,
            "a",
            {"DISTRIBUTION": "consistent"},
            "DISTRIBUTION must be one of pymemcache",
        ),
        (MemcachedCache, "a", {"USERNAME": "u"}, "belong together"),
        (MemcachedCache, "a", {"username": "u"}, "username is refused: SASL"),
        (PyMemcacheCache, "a", {"hasher": object}, "hasher is refused: DISTRIBUTION"),
        (PyLibMCCache, "a", {"behaviors": {"dead_timeout": 60}}, "do not move"),
        (PyMemcacheCache, "a", {"behaviors": {}}, "unknown option 'behaviors'"),
        (PyLibMCCache, "a", {"behaviors": {"num_replicas": 1}}, "num_replicas is refused"),
        (PyLibMCCache, "a", {"behaviors": {"nonsense": 1}}, "unknown behavior 'nonsense'"),
        (PyLibMCCache, "a", {"binary": True}, "binary is refused: SASL"),
        (PyLibMCCache, ["a", "/run/b.sock"], {}, "cannot mix TCP and unix sockets"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused_by_name(
    made: Any, location: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        made(location, {"OPTIONS": options})
    assert words in str(refused.value)
    assert made.__name__ in str(refused.value)


def test_options_of_both_libraries_that_mean_something_are_taken(
    memcached_server: MemcachedServer,
) -> None:
    where = memcached_server.address
    for cache in (
        PyMemcacheCache(where, {"OPTIONS": {"timeout": 3, "connect_timeout": 1, "no_delay": True}}),
        PyLibMCCache(
            where, {"OPTIONS": {"behaviors": {"ketama": True, "receive_timeout": 3_000_000}}}
        ),
        MemcachedCache(where, {"OPTIONS": {"REPLY_LIMIT": 3, "POOL_SIZE": 2, "MAX_ENTRIES": 5}}),
    ):
        cache.set("key", "value")
        assert cache.get("key") == "value"


def test_a_login_is_given_and_never_shown(configure: Any) -> None:
    from memcached_servers import MemcachedOptions

    with MemcachedServer(MemcachedOptions(login=("shop", "secret"))) as server:
        right = settings(server.address, USERNAME="shop", PASSWORD="secret")
        cache = configure(default=right)["default"]
        cache.set("key", 1)
        assert cache.get("key") == 1
        wrong = MemcachedCache(
            server.address, {"OPTIONS": {"USERNAME": "shop", "PASSWORD": "guess"}}
        )
        with pytest.raises(errors.ResponseError) as refused:
            wrong.get("key")
        assert "guess" not in f"{refused.value!r} {wrong!r}"
