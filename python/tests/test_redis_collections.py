"""Hashes, sets and sorted sets: ours against django-redis, sync and async."""

# ruff: noqa: F811, since fixtures are imported and then named as parameters
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hotclub import errors

from packages import need_package
from redis_pairs import Ours, Pair, ours, pair, params, redis_door  # noqa: F401, the fixtures
from servers import RedisServer


def test_hashes_behave_as_django_redis_has_them(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        done = [cache.hset("h", "a", "one"), cache.hset("h", "a", "two"), cache.hset("h", "b", 3)]
        done += [cache.hset("h", mapping={"c": [1], "d": True, "e": -5}), cache.hlen("h")]
        done += [cache.hset("h", "f", 1, mapping={"g": 1}), cache.hset("h", 5, 1)]
        done += [cache.hdel("h", "a"), cache.hdel("h", "a"), cache.hexists("h", "b")]
        done += [
            cache.hexists("h", "a"),
            sorted(cache.hkeys("h")),
            cache.hlen("none"),
            cache.hkeys("none"),
        ]
        cache.hset("h", "a", 1, version=2)
        return [*done, cache.hkeys("h", version=2)]

    assert pair.same(script)[:5] == [1, 0, 1, 3, 5]


def test_hset_of_nothing_is_refused(pair: Pair) -> None:
    assert issubclass(pair.same(lambda cache: cache.hset("h")), Exception)


def test_sets_behave_as_django_redis_has_them(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        done = [cache.sadd("s", "a", "b", 1), cache.sadd("s", "a"), cache.scard("s")]
        done += [cache.scard("none"), cache.sismember("s", "a"), cache.sismember("s", "x")]
        done += [cache.smismember("s", "a", "x", 1), cache.smembers("s"), cache.smembers("none")]
        done += [cache.srem("s", "a", "x"), cache.srem("s", "x"), cache.smembers("s")]
        cache.sadd("t", "b", "c")
        done += [cache.sdiff("s", "t"), cache.sinter("s", "t"), cache.sunion("s", "t")]
        done += [cache.sdiffstore("d", "s", "t"), cache.sinterstore("i", "s", "t")]
        done += [cache.sunionstore("u", "s", "t"), cache.smembers("u"), cache.sunion("none")]
        done += [cache.smove("s", "t", "b"), cache.smove("s", "t", "x"), cache.smembers("t")]
        cache.sadd("v", "v", version=2)
        done += [
            cache.smove("v", "w", "v", version=2),
            cache.smembers("w"),
            cache.scard("v", version=2),
        ]
        done += [cache.sdiffstore("d", "s", "t", version_dest=3, version_keys=1)]
        return [*done, cache.smembers("d", version=3)]

    assert pair.same(script)[:3] == [3, 0, 3]


def test_random_members_come_alone_in_a_set_or_in_a_list(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        done = [cache.spop("none"), cache.spop("none", 2), cache.srandmember("none")]
        done += [cache.srandmember("none", 2)]
        cache.sadd("s", "only")
        done += [cache.srandmember("s"), cache.srandmember("s", 3), cache.srandmember("s", -3)]
        done += [cache.spop("s"), cache.scard("s")]
        cache.sadd("s", "only", 7)
        return [*done, cache.spop("s", 5), cache.scard("s"), cache.spop("s", count=0)]

    assert pair.same(script)[:4] == [None, set(), None, []]


def test_scanning_a_set_finds_its_members(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        cache.sadd("few", "a", "b", 3)
        cache.sadd("many", *(f"m{number}" for number in range(1000)))
        some = cache.sscan("many")
        all_of_them = set(cache.sscan_iter("many", count=50))
        return cache.sscan("few"), len(all_of_them), bool(some) and some <= all_of_them

    assert pair.same(script) == ({"a", "b", 3}, 1000, True)


def test_scanning_with_a_pattern_is_refused_where_entries_are_compressed(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        cache.sadd("s", "item1", "item2", "other")
        return cache.sscan("s", match="item*"), set(cache.sscan_iter("s", match="item*"))

    pair.same(script)


def test_sorted_sets_behave_as_django_redis_has_them(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        done: list[Any] = [cache.zadd("z", {"a": 1, "b": 2.5, "c": -3, 7: 4}), cache.zcard("z")]
        done += [cache.zadd("z", {"a": 9}, nx=True), cache.zadd("z", {"x": 9}, xx=True)]
        done += [
            cache.zadd("z", {"a": 2, "d": 1}, ch=True),
            cache.zadd("z", {"a": 1}, gt=True, ch=True),
        ]
        done += [
            cache.zadd("z", {"a": 1}, lt=True, ch=True),
            cache.zadd("z", {"a": 1.5}, incr=True),
        ]
        done += [cache.zadd("z", {"no": 1}, incr=True, xx=True), cache.zincrby("z", 2, "new")]
        done += [cache.zincrby("z", -0.5, 7), cache.zscore("z", 7), cache.zscore("z", "none")]
        done += [
            cache.zcount("z", 1, 3),
            cache.zcount("z", "-inf", "+inf"),
            cache.zcount("z", "(1", 3),
        ]
        done += [cache.zrank("z", "c"), cache.zrank("z", 7), cache.zrank("z", "none")]
        done += [cache.zrem("z", "new", "none"), cache.zrem("z", 7), cache.zcard("none")]
        done += [cache.zremrangebyscore("z", -10, 0), cache.zrange("z", 0, -1, withscores=True)]
        cache.zadd("z", {"v": 1}, version=2)
        return [*done, cache.zrange("z", 0, -1, version=2)]

    assert pair.same(script)[:4] == [4, 4, 0, 0]


RANGES: dict[str, Callable[[Any], Any]] = {
    "by rank": lambda cache: cache.zrange("z", 1, 2),
    "by rank, falling": lambda cache: cache.zrange("z", 0, 1, desc=True, withscores=True),
    "by rank, with scores": lambda cache: cache.zrange("z", 0, -1, withscores=True),
    "cast": lambda cache: cache.zrange("z", 0, -1, withscores=True, score_cast_func=int),
    "reversed": lambda cache: cache.zrevrange("z", 0, -1),
    "reversed, with scores": lambda cache: cache.zrevrange("z", 0, 0, withscores=True),
    "by score": lambda cache: cache.zrangebyscore("z", 1, 3),
    "by score, open": lambda cache: cache.zrangebyscore("z", "(1", "+inf", withscores=True),
    "by score, some": lambda cache: cache.zrangebyscore("z", "-inf", "+inf", start=1, num=2),
    "by score, falling": lambda cache: cache.zrevrangebyscore("z", 3, 1),
    "by score, falling, some": lambda cache: cache.zrevrangebyscore(
        "z", 9, 0, 1, 1, withscores=True
    ),
    "of nothing": lambda cache: (cache.zrange("none", 0, -1), cache.zrangebyscore("none", 0, 1)),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges_of_a_sorted_set(pair: Pair, name: str) -> None:
    def script(cache: Any) -> Any:
        cache.zadd("z", {"a": 1, "b": 2.75, "c": 3, 7: 4, "e": 1e20})
        return RANGES[name](cache)

    pair.same(script)


def test_popping_from_a_sorted_set(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        cache.zadd("z", {"a": 1, "b": 2, "c": 3, "d": 4.5, 5: 5})
        done = [
            cache.zpopmax("z"),
            cache.zpopmin("z"),
            cache.zpopmax("z", 2),
            cache.zpopmin("z", count=9),
        ]
        return [
            *done,
            cache.zpopmax("z"),
            cache.zpopmin("z"),
            cache.zpopmin("z", 2),
            cache.zpopmax("z", 1),
        ]

    assert pair.same(script)[:2] == [(5, 5.0), ("a", 1.0)]


@pytest.mark.parametrize("flags", [{"nx": True, "xx": True}, {"gt": True, "lt": True}])
def test_flags_that_exclude_each_other_are_refused(pair: Pair, flags: dict[str, bool]) -> None:
    assert issubclass(pair.same(lambda cache: cache.zadd("z", {"a": 1}, **flags)), Exception)


def test_a_limit_needs_both_its_numbers(ours: Any) -> None:
    with pytest.raises(ValueError, match="start and num"):
        ours.zrangebyscore("z", 0, 1, start=1)


def test_a_key_of_another_type_is_an_error_of_the_server(pair: Pair) -> None:
    redis = need_package("redis.exceptions")
    pair.ours.set("k", "text")
    for call in ("scard", "hlen", "zcard"):
        with pytest.raises(errors.ResponseError, match="WRONGTYPE") as caught:
            getattr(pair.ours, call)("k")
        assert isinstance(caught.value, redis.ResponseError)


def test_protocol_3_gives_the_same(
    redis_server: RedisServer, redis_door: Callable[[Any], Any]
) -> None:
    need_package("redis")
    two, three = (
        redis_door(Ours(f"{redis_server.url_db(2)}?protocol={number}", params()))
        for number in (2, 3)
    )
    calls: list[Callable[[Any], Any]] = [
        *RANGES.values(),
        lambda cache: cache.zscore("z", "b"),
        lambda cache: cache.zadd("z", {"b": 1}, incr=True),
        lambda cache: cache.zadd("z", {"b": -1}, incr=True),
        lambda cache: cache.smembers("s"),
        lambda cache: cache.sunion("s", "s"),
        lambda cache: cache.spop("s", 0),
        lambda cache: cache.sismember("s", 1),
        lambda cache: cache.expire("s", 100),
        lambda cache: cache.hexists("h", "a"),
    ]
    two.zadd("z", {"a": 1, "b": 2.75, "c": 3})
    two.sadd("s", 1, 2)
    two.hset("h", "a", 1)
    results = [[call(cache) for call in calls] for cache in (two, three)]
    results[1][-8] += 0
    assert results[0][:12] == results[1][:12]
    assert results[0][14:] == results[1][14:]
    three.zadd("p", {"a": 1, "b": 2, "c": 3})
    assert three.zpopmin("p") == ("a", 1.0)
    assert three.zpopmax("p", 5) == [("c", 3.0), ("b", 2.0)]
