"""What an alias of Memcached may choose: TLS, compression, and pymemcache's timers with their silence."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hotclub import errors
from hotclub.django import MemcachedCache, PyLibMCCache, PyMemcacheCache

from certificates import certificates
from clocks import until
from memcached_servers import MemcachedFleet, MemcachedOptions, MemcachedServer


@pytest.fixture(scope="module")
def tls_server() -> Iterator[MemcachedServer]:
    """A server that speaks TLS."""
    with MemcachedServer(MemcachedOptions(tls=True)) as server:
        yield server


def both_doors(cache: Any) -> None:
    """A write and a read by each."""
    cache.set("blocking", ["x" * 100_000])
    assert cache.get("blocking") == ["x" * 100_000]

    async def loop() -> None:
        await cache.aset("loop", ["y" * 100_000])
        assert await cache.aget("loop") == ["y" * 100_000]
        assert await cache.aget_many(["blocking", "loop", "no"]) == {
            "blocking": ["x" * 100_000],
            "loop": ["y" * 100_000],
        }

    asyncio.run(loop())


def test_tls_is_spoken_through_both_doors(tls_server: MemcachedServer) -> None:
    options = {"TLS": True, "TLS_CA": certificates().authority}
    both_doors(PyMemcacheCache(tls_server.address, {"OPTIONS": options}))


def test_a_server_whose_certificate_is_not_trusted_is_an_error(tls_server: MemcachedServer) -> None:
    options = {"TLS": True, "TLS_CA": certificates().other_authority, "CONNECT_LIMIT": 1}
    cache = PyMemcacheCache(tls_server.address, {"OPTIONS": options})
    with pytest.raises(errors.CacheConnectionError, match="TLS") as refused:
        cache.get("key")
    assert tls_server.address in str(refused.value)
    with pytest.raises(errors.CacheConnectionError, match="TLS"):
        asyncio.run(cache.aget("key"))


def test_a_server_without_tls_is_told_apart(memcached_server: MemcachedServer) -> None:
    options = {"TLS": True, "REPLY_LIMIT": 1, "BREAKER": 0.1}
    cache = PyMemcacheCache(memcached_server.address, {"OPTIONS": options})
    with pytest.raises(errors.CacheConnectionError, match="TLS"):
        cache.delete("key")


@pytest.mark.parametrize("made", [PyMemcacheCache, PyLibMCCache])
def test_long_values_are_compressed_where_that_makes_them_smaller(
    made: Any, memcached_server: MemcachedServer
) -> None:
    cache = made(memcached_server.address, {"OPTIONS": {"COMPRESS_MIN_LENGTH": 400}})
    plain = made(memcached_server.address, {})
    noise = bytes(range(256)) * 2
    for key, value, flag in (
        ("text", "é" * 1000, 16 | 8),
        ("list", ["a"] * 1000, 1 | 8),
        ("short", "x" * 400, 16),
        ("noise", zlib.compress(noise, 9) + noise[:200], 0),
    ):
        cache.set(key, value)
        reply = memcached_server.ask(f"mg :1:{key} f v".encode())
        header, stored = reply.split(b"\r\n", 1)
        assert int(header.split(b"f")[1]) == flag, key
        if flag & 8:
            assert len(stored) < 100
            assert zlib.decompress(stored.removesuffix(b"\r\n"))
        # Whoever compresses or not, both are read.
        assert cache.get(key) == plain.get(key) == value
    assert cache.set_many({"many": "z" * 1000}) == []
    assert plain.get_many(["many", "text"]) == {"many": "z" * 1000, "text": "é" * 1000}


def test_pymemcaches_own_compression_is_taken(memcached_server: MemcachedServer) -> None:
    serde = pytest.importorskip("pymemcache.serde")
    base = pytest.importorskip("pymemcache.client.base")
    where = memcached_server.address
    cache = PyMemcacheCache(where, {"OPTIONS": {"serde": serde.CompressedSerde()}})
    cache.set("ours", "v" * 1000)
    theirs = base.Client(where, serde=serde.CompressedSerde())
    assert theirs.get(":1:ours") == "v" * 1000
    theirs.set(":1:theirs", ["w"] * 1000, noreply=False)  # or it may be done after our `get`
    theirs.close()
    assert cache.get("theirs") == ["w"] * 1000
    assert "f24" in memcached_server.command("mg :1:ours f")
    with pytest.raises(ImproperlyConfigured, match="serde is refused"):
        PyMemcacheCache(where, {"OPTIONS": {"serde": object()}})


def of_second(cache: Any, fleet: MemcachedFleet) -> list[str]:
    """Keys that the second node has."""
    keys = [f"k{number}" for number in range(60)]
    assert cache.set_many(dict.fromkeys(keys, "old")) == []
    second = fleet.servers[1]
    return [key for key in keys if "old" in second.command(f"get :1:{key}")]


def quiet(verb: Callable[[], Any]) -> Any:
    """What it answers while its node rests: a rest may be over, and then it is a trial, which raises."""
    for _ in range(3):
        with suppress(errors.CacheConnectionError):
            return verb()
    return verb()


def test_pymemcaches_timers_bring_their_silence(memcached_fleet: MemcachedFleet) -> None:
    # More trials than a slow machine makes before the node is to leave.
    options = {"retry_attempts": 6, "retry_timeout": 0.1, "dead_timeout": 3, "connect_timeout": 2}
    cache = PyMemcacheCache(memcached_fleet.addresses, {"OPTIONS": options})
    key, other, *_ = of_second(cache, memcached_fleet)
    memcached_fleet.servers[1].kill()
    with pytest.raises(errors.CacheConnectionError, match=memcached_fleet.addresses[1]):
        cache.get(key)
    assert quiet(lambda: cache.get(key, "default")) == "default"
    assert quiet(lambda: cache.add(key, 1)) is False
    assert quiet(lambda: cache.delete(key)) is False
    assert quiet(lambda: cache.touch(key)) is False
    assert quiet(lambda: cache.set(key, 1)) is None
    assert quiet(lambda: cache.set_many({key: 1, other: 2})) == [key, other]
    with pytest.raises(ValueError, match="not found"):
        quiet(lambda: cache.incr(key))

    async def silent() -> None:
        assert await cache.aget(key, "default") == "default"
        assert await cache.adelete(key) is False

    def moved() -> bool:
        try:
            cache.set(key, "moved")
        except errors.CacheConnectionError:
            return False
        return bool(cache.get(key) == "moved")

    until(moved)
    asyncio.run(_moved(cache, key))
    memcached_fleet.servers[1].restart()
    until(lambda: cache.get(key) is None)
    cache.set(key, "home")
    assert "home" in memcached_fleet.servers[1].command(f"get :1:{key}")
    memcached_fleet.servers[1].kill()
    with pytest.raises(errors.CacheConnectionError):
        cache.get(key)
    with pytest.raises(errors.CacheConnectionError):
        # The loop's door finds out for itself, once.
        asyncio.run(silent())
    quiet(lambda: asyncio.run(silent()))


async def _moved(cache: Any, key: str) -> None:
    assert await cache.aget(key) == "moved"


def test_ignored_errors_are_none(memcached_server: MemcachedServer) -> None:
    cache = PyMemcacheCache(memcached_server.address, {"OPTIONS": {"ignore_exc": True}})
    memcached_server.kill()
    began = time.monotonic()
    for _ in range(3):
        assert cache.get("key", "default") == "default"
        assert cache.delete("key") is False
        assert cache.set_many({"key": 1}) == ["key"]
    assert asyncio.run(cache.aadd("key", 1)) is False
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("made", "options", "words"),
    [
        (MemcachedCache, {"TLS_CA": "a.pem"}, "TLS_ options need TLS: True"),
        (MemcachedCache, {"TLS": 1}, "TLS must be True or False"),
        (MemcachedCache, {"TLS": True, "TLS_KEY": "k.pem"}, "TLS_KEY needs TLS_CERTIFICATE"),
        (MemcachedCache, {"TLS": True, "TLS_CA": "/no/such.pem"}, "/no/such.pem"),
        (MemcachedCache, {"TLS": True, "TLS_VERIFY": "maybe"}, "TLS_VERIFY must be one of full"),
        (MemcachedCache, {"ABSENT_NODES": "move"}, "ABSENT_NODES must be one of miss, raise"),
        (MemcachedCache, {"COMPRESS_MIN_LENGTH": -1}, "COMPRESS_MIN_LENGTH must be a whole number"),
        (PyMemcacheCache, {"retry_attempts": -1}, "retry_attempts must be a whole number"),
        (PyMemcacheCache, {"dead_timeout": 0}, "dead_timeout must be a number of seconds above 0"),
        (
            PyMemcacheCache,
            {"dead_timeout": 60, "DISTRIBUTION": "ketama"},
            "belong to the distribution of pymemcache",
        ),
        (PyMemcacheCache, {"tls_context": object()}, "tls_context is refused: an SSLContext"),
        (PyMemcacheCache, {"ignore_exc": "yes"}, "ignore_exc must be True or False"),
    ],
)
def test_choices_that_cannot_be_followed_are_refused_by_name(
    made: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        made("127.0.0.1:11211", {"OPTIONS": options})
    assert words in str(refused.value)
    assert made.__name__ in str(refused.value)
