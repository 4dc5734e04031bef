"""django-redis' cache and ours side by side: fixtures for tests of the extra verbs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hotclub.django import RedisCache

from packages import need_package
from servers import RedisServer

#: The class that is judged.
Ours = RedisCache

PICKLE = "django_redis.serializers.pickle.PickleSerializer"
CODECS = {
    "pickle": {},
    "zlib": {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"},
    "json": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
    "msgpack": {"SERIALIZER": "django_redis.serializers.msgpack.MSGPackSerializer"},
}
ALL_VERBS = [
    "expire", "expire_at", "hdel", "hexists", "hkeys", "hlen", "hset", "delete_pattern",
    "iter_keys", "keys", "lock", "persist", "pexpire", "pexpire_at", "pttl", "sadd", "scard",
    "sdiff", "sdiffstore", "sinter", "sinterstore", "sismember", "smembers", "smismember", "smove",
    "spop", "srandmember", "srem", "sscan", "sscan_iter", "sunion", "sunionstore", "ttl", "zadd",
    "zcard", "zcount", "zincrby", "zpopmax", "zpopmin", "zrange", "zrangebyscore", "zrank", "zrem",
    "zremrangebyscore", "zrevrange", "zrevrangebyscore", "zscore",
]  # fmt: skip


class Async:
    """A cache whose extra verbs go through their async twins."""

    def __init__(self, cache: Any, runner: asyncio.Runner) -> None:
        self.behind, self.runner = cache, runner

    def __getattr__(self, name: str) -> Any:
        twin = getattr(self.behind, f"a{name}", None) if name in ALL_VERBS else None
        if twin is None or name == "lock":
            return getattr(self.behind, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            made = twin(*arguments, **keywords)
            if isinstance(made, AsyncIterator):
                return iter(self.runner.run(_collected(made)))
            return self.runner.run(made)

        return call


async def _collected(values: AsyncIterator[Any]) -> list[Any]:
    return [value async for value in values]


def params(**options: Any) -> dict[str, Any]:
    """Settings in the dialect of django-redis."""
    options.setdefault("CLIENT_CLASS", "django_redis.client.DefaultClient")
    return {"OPTIONS": options}


@pytest.fixture(params=["sync", "async"])
def redis_door(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """What puts a cache behind its sync or its async verbs."""
    if request.param == "sync":
        yield lambda cache: cache
        return
    with asyncio.Runner() as runner:
        yield lambda cache: Async(cache, runner)


@pytest.fixture
def ours(redis_door: Callable[[Any], Any], redis_server: RedisServer) -> Any:
    """Our cache, behind either door."""
    need_package("redis")
    return redis_door(Ours(redis_server.url_db(2), params()))


@pytest.fixture
def bare(redis_server: RedisServer) -> Any:
    """Our cache itself."""
    need_package("redis")
    return Ours(redis_server.url_db(2), params())


class Pair:
    """The same calls to django-redis' cache and to ours, each in a database of its own."""

    def __init__(self, server: RedisServer, door: Callable[[Any], Any], **options: Any) -> None:
        theirs = need_package("django_redis.cache").RedisCache
        self.server = server
        self.theirs = theirs(server.url_db(1), params(**options))
        self.ours = door(Ours(server.url_db(2), params(**options)))

    def same(self, script: Callable[[Any], Any]) -> Any:
        """Run on both; what came of it, which must be equal, as must what is stored."""
        expected, got = _outcome(script, self.theirs), _outcome(script, self.ours)
        assert got == expected
        assert _types(got) == _types(expected)
        assert self.stored(2) == self.stored(1)
        return got

    def stored(self, database: int) -> dict[str, Any]:
        """All that the server holds: type, content, and whether it expires."""
        ask = self.server.ask_all
        found = {}
        for key in ask(("SELECT", database), ("KEYS", "*"))[1]:
            kind = ask(("SELECT", database), ("TYPE", key))[1]
            command = {
                "string": ("GET", key),
                "hash": ("HGETALL", key),
                "set": ("SORT", key, "ALPHA", "BY", "*"),
                "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
            }[kind]
            content, left = ask(("SELECT", database), command, ("PTTL", key))[1:]
            found[key.decode()] = kind, content, left == -1
        return found


def _outcome(script: Callable[[Any], Any], cache: Any) -> Any:
    """What it returns, or the family of what it raises."""
    redis = need_package("redis.exceptions")
    try:
        return script(cache)
    except redis.RedisError as error:
        return (
            redis.ResponseError
            if isinstance(error, (redis.ResponseError, redis.DataError))
            else error
        )
    except (TypeError, ValueError) as error:
        return type(error)


def _types(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value), [_types(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(type(item).__name__ for item in value)
    return type(value)


@pytest.fixture(params=CODECS)
def pair(
    request: pytest.FixtureRequest, redis_server: RedisServer, redis_door: Callable[[Any], Any]
) -> Pair:
    """Both caches, of each codec, ours behind either door."""
    return Pair(redis_server, redis_door, **CODECS[request.param])


def lock_of(cache: Any, *arguments: Any, **keywords: Any) -> Any:
    """A lock whose methods are called through the cache's door."""
    lock = cache.lock("lock", *arguments, **keywords)
    return LockDoor(lock, cache.runner) if isinstance(cache, Async) else lock


class LockDoor:
    """A lock behind its async methods."""

    def __init__(self, lock: Any, runner: asyncio.Runner) -> None:
        self.behind, self.runner = lock, runner

    def __getattr__(self, name: str) -> Any:
        twin = getattr(self.behind, f"a{name}", None)
        if twin is None:
            return getattr(self.behind, name)
        return lambda *arguments, **keywords: self.runner.run(twin(*arguments, **keywords))

    def __enter__(self) -> Any:
        return self.runner.run(self.behind.__aenter__())

    def __exit__(self, *error: Any) -> Any:
        return self.runner.run(self.behind.__aexit__(*error))
