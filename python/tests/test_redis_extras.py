"""The extra verbs of a Redis cache as a whole, and what code for django-redis finds beside them."""

# ruff: noqa: F811, since fixtures are imported and then named as parameters
from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache.backends.base import CacheKeyWarning
from django.core.exceptions import ImproperlyConfigured
from hotclub import errors
from hotclub.django import redis_extras
from hotclub.django.redis_extras.base import CacheKey

from packages import need_package
from redis_pairs import ALL_VERBS, Ours, bare, lock_of, params, redis_door  # noqa: F401, the fixtures
from servers import RedisServer


def test_every_verb_of_django_redis_is_there_with_its_twin_and_its_parameters() -> None:
    theirs = need_package("django_redis.client").DefaultClient
    for name in ALL_VERBS:
        mine = inspect.signature(getattr(Ours, name)).parameters
        wanted = [
            parameter for parameter in inspect.signature(getattr(theirs, name)).parameters.values()
            if parameter.name != "client"
        ]  # fmt: skip
        by_position = [parameter.name for parameter in wanted]
        if name == "iter_keys":  # there `client` stands between them
            assert set(mine) == set(by_position)
        elif name not in ("delete_pattern", "lock"):
            assert list(mine) == by_position, name
        else:
            assert set(by_position) <= set(mine), name
        for parameter in wanted:
            assert mine[parameter.name].default == parameter.default, (name, parameter)
        assert getattr(Ours, f"a{name}").__doc__, name


def test_commands_can_be_sent_as_they_are(bare: Any) -> None:
    bare.set("k", "v", 100)
    assert bare.execute("EXISTS", bare.make_key("k")) == 1
    assert asyncio.run(bare.aexecute("STRLEN", bare.make_key("none"), write=False)) == 0
    with pytest.raises(errors.ResponseError):
        bare.execute("GET")


def test_the_client_of_django_redis_is_imitated(bare: Any) -> None:
    client = bare.client
    full = client.make_key("k", version=2)
    assert (full, type(full), full.original_key()) == (":2:k", CacheKey, "k")
    assert client.make_key(full) is full
    assert client.make_key("k", prefix="p") == "p:1:k"
    assert client.make_pattern("*", prefix="[") == "[[]:1:*"
    bare.sadd(full, 1)
    assert bare.smembers("k", version=2) == {1}
    assert client.decode(client.encode(["v"])) == ["v"]
    assert client.encode(5) == b"5"
    assert client.decode(client.encode(5, allow_int=False)) == 5
    assert client.encode(5, allow_int=False) != b"5"
    assert client.reverse_key(":1:a:b") == "a:b"
    assert client.ttl("none") == 0
    assert not client._has_compression_enabled()
    assert client._serializer.loads(client._serializer.dumps("x")) == "x"
    raw = client.get_client(write=False)
    raw.set("raw", b"1")
    assert raw.get("raw") == b"1"
    assert client.get_client() is raw
    with pytest.raises(AttributeError, match="_nothing"):
        client._nothing  # noqa: B018


def test_a_raw_connection_is_that_of_the_settings(
    redis_server: RedisServer, monkeypatch: Any
) -> None:
    redis = need_package("redis")
    cache = Ours(redis_server.url_db(3), params(CONNECTION_POOL_KWARGS={"client_name": "raw"}))
    monkeypatch.setattr("hotclub.django.redis_extras.client.caches", {"a": cache, "b": object()})
    raw = redis_extras.get_redis_connection("a")
    assert isinstance(raw, redis.Redis)
    raw.set(":1:k", 5)
    assert cache.get("k") == 5
    assert raw.client_getname() in ("raw", b"raw")
    with pytest.raises(NotImplementedError, match="'b'"):
        redis_extras.get_redis_connection("b")


def test_a_raw_connection_finds_a_primary_through_its_sentinels(redis_sentinels: Any) -> None:
    need_package("redis")
    hosts = ",".join(sentinel.address for sentinel in redis_sentinels.sentinels)
    cache = Ours(
        f"redis+sentinel://{hosts}/{redis_sentinels.SERVICE}/1", {"OPTIONS": {"READ_FROM": "any"}}
    )
    raw = cache.client.get_client()
    raw.set("k", 1)
    assert raw.role()[0] in ("master", b"master")
    assert cache.client.get_client(write=False).role()[0] in ("slave", b"slave")


def test_a_raw_connection_without_redis_py_says_what_to_install(
    bare: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("hotclub.django.redis_extras.client._connections", {})
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImproperlyConfigured, match="pip install redis"):
        bare.client.get_client()


@pytest.mark.parametrize("ignore", [False, True])
def test_a_dead_server_is_an_error_or_nothing(
    redis_door: Callable[[Any], Any], ignore: bool
) -> None:
    redis = need_package("redis.exceptions")
    behind = Ours("redis://127.0.0.1:1/0?socket_timeout=0.2", params(IGNORE_EXCEPTIONS=ignore))
    cache = redis_door(behind)
    if ignore:
        assert cache.ttl("k") is None
        assert cache.delete_pattern("*") is None
        assert list(cache.iter_keys("*")) == []
    else:
        with pytest.raises(redis.ConnectionError):
            cache.ttl("k")
        with pytest.raises(errors.CacheConnectionError):
            list(cache.iter_keys("*"))
    with pytest.raises(redis.ConnectionError):
        lock_of(cache).acquire()


def test_django_s_dialect_warns_of_keys_and_that_of_django_redis_does_not(
    redis_server: RedisServer, redis_door: Callable[[Any], Any]
) -> None:
    need_package("redis")
    redis_door(Ours(redis_server.url_db(2), params())).ttl("a key")
    with pytest.warns(CacheKeyWarning):
        redis_door(Ours(redis_server.url_db(2), {})).ttl("a key")


def test_incr_by_hand_asks_the_primary_and_keeps_the_deadline(
    redis_server: RedisServer, redis_door: Callable[[Any], Any]
) -> None:
    """Of a fraction, which the server cannot count; the second server, a replica, is always late."""
    with RedisServer() as late:
        where = [redis_server.url, late.url]
        cache = redis_door(Ours(where, params(DIALECT="django-redis")))
        cache.set("fraction", 1.5, 100)
        cache.set("for ever", 2.5, None)
        assert cache.get("fraction") is None
        assert cache.incr("fraction", 2) == 3.5
        assert cache.incr("for ever", 1) == 3.5
        assert 95_000 < int(redis_server.command("PTTL", ":1:fraction")) <= 100_000
        assert int(redis_server.command("PTTL", ":1:for ever")) == -1
        late.command("SET", ":1:elsewhere", "1.5")
        with pytest.raises(ValueError, match="Key ':1:elsewhere' not found"):
            cache.incr("elsewhere", 1.5)
