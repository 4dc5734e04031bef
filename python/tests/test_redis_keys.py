"""Deadlines and keys of a Redis cache: ours against django-redis, sync and async."""

# ruff: noqa: F811, since fixtures are imported and then named as parameters
from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from hotclub.django.redis_extras.base import CacheKey, literal
from hotclub.django.redis_extras.keys import slot

from packages import need_package
from redis_pairs import Ours, Pair, bare, ours, pair, params, redis_door  # noqa: F401, the fixtures
from servers import RedisServer


def test_time_left_is_a_number_none_for_ever_and_0_for_missing(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        cache.set("timed", "v", 100)
        cache.set("ever", "v", None)
        close = 90 <= cache.ttl("timed") <= 100, 90_000 < cache.pttl("timed") <= 100_000
        return (
            close,
            [cache.ttl(key) for key in ("ever", "none")],
            cache.pttl("ever"),
            cache.pttl("none"),
        )

    assert pair.same(script) == ((True, True), [None, 0], None, 0)


def test_persist_and_expire_say_whether_they_did_something(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        cache.set("k", "v", 50)

        def left(seconds: int) -> bool:
            return seconds - 5 <= cache.ttl("k") <= seconds

        done = [cache.persist("k"), cache.persist("k"), cache.persist("none"), cache.ttl("k")]
        done += [cache.expire("k", 20), left(20), cache.expire("none", 20)]
        done += [cache.expire("k", timedelta(seconds=30)), left(30)]
        done += [cache.expire("k", DEFAULT_TIMEOUT), left(300)]
        done += [cache.pexpire("k", 20_100), left(20), cache.pexpire("none", 20_500)]
        return [*done, cache.pexpire("k", timedelta(seconds=30)), left(30)]

    assert pair.same(script)[:4] == [True, False, False, None]


@pytest.mark.parametrize("gone", [0, -1])
def test_a_timeout_of_0_or_less_deletes(pair: Pair, gone: int) -> None:
    def script(cache: Any) -> Any:
        cache.set("a", "v")
        cache.set("b", "v")
        return cache.expire("a", gone), cache.pexpire("b", gone), cache.get("a"), cache.get("b")

    assert pair.same(script) == (True, True, None, None)


def test_deadlines_are_datetimes_or_unix_times(pair: Pair) -> None:
    soon = datetime.now() + timedelta(hours=1)
    past = datetime.now() - timedelta(hours=1)

    def script(cache: Any) -> Any:
        cache.set("a", "v", None)
        cache.set("b", "v", None)
        done = [cache.expire_at("a", soon), cache.pexpire_at("b", soon)]
        done += [3500 <= cache.ttl(key) <= 3600 for key in ("a", "b")]
        done += [cache.expire_at("a", int(soon.timestamp()) + 600), cache.ttl("a") > 4000]
        done += [
            cache.pexpire_at("b", int(soon.timestamp() * 1000) + 600_000),
            cache.ttl("b") > 4000,
        ]
        done += [cache.expire_at("none", soon), cache.pexpire_at("none", soon)]
        return [*done, cache.expire_at("a", past), cache.pexpire_at("b", past), cache.has_key("a")]

    assert pair.same(script)[-3:] == [True, True, False]


def test_the_default_timeout_is_in_seconds_for_pexpire_too(ours: Any) -> None:
    ours.set("k", "v", None)
    assert ours.pexpire("k", DEFAULT_TIMEOUT) is True
    assert 290_000 < ours.pttl("k") <= 300_000


def test_no_timeout_is_for_ever(ours: Any) -> None:
    ours.set("k", "v", 10)
    assert ours.expire("k", None) is True
    assert ours.ttl("k") is None


def test_keys_come_back_as_they_were_typed(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        for key in ("foo:1", "foo:2", "bar", "föö"):
            cache.set(key, 1)
        cache.set("foo:3", 1, version=2)
        found = [sorted(cache.keys(pattern)) for pattern in ("*", "foo*", "f??", "foo:[12]", "x*")]
        return [*found, cache.keys("*", version=2), sorted(cache.iter_keys("foo*"))]

    assert pair.same(script)[1] == ["foo:1", "foo:2"]


def test_iter_keys_goes_through_all_pages(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        for number in range(300):
            cache.set(f"k{number}", number)
        return sorted(set(cache.iter_keys("k*", itersize=7)))

    assert len(pair.same(script)) == 300


def test_iterators_ask_only_as_much_as_is_taken(bare: Any, monkeypatch: Any) -> None:
    for number in range(300):
        bare.set(f"k{number}", number)
    asked: list[Any] = []
    execute = bare._execute
    monkeypatch.setattr(
        bare, "_execute", lambda *a, **k: asked.append(a) or execute(*a, **k), raising=False
    )
    found = bare.iter_keys("k*", itersize=10)
    assert isinstance(found, Iterator)
    assert asked == []
    assert next(found).startswith("k")
    assert len(asked) <= 2


def test_delete_pattern_deletes_what_matches_and_counts_it(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        for key in ("foo-aa", "foo-ab", "foo-bb", "foo-bc"):
            cache.set(key, "foo")
        cache.set("foo-aa", "other", version=2)
        counts = [cache.delete_pattern("*foo-a*"), cache.delete_pattern("*foo-a*")]
        counts += [cache.delete_pattern("foo-*", version=2), cache.delete_pattern("x", itersize=1)]
        return counts, sorted(cache.keys("*"))

    assert pair.same(script) == ([2, 0, 1, 0], ["foo-bb", "foo-bc"])


def test_delete_pattern_deletes_more_than_one_batch(ours: Any) -> None:
    for number in range(1201):
        ours.set(f"k{number}", number)
    ours.set("other", 1)
    assert ours.delete_pattern("k*", itersize=100) == 1201
    assert ours.keys("*") == ["other"]


@pytest.mark.parametrize("prefix", ["*", "a?", "[ab]", "a\\", "a:b", "[^]]", "\\*"])
def test_a_prefix_stands_for_itself_in_patterns(
    redis_server: RedisServer, redis_door: Callable[[Any], Any], prefix: str
) -> None:
    need_package("redis")
    ours = redis_door(Ours(redis_server.url_db(2), params() | {"KEY_PREFIX": prefix}))
    other = Ours(redis_server.url_db(2), params() | {"KEY_PREFIX": "ab"})
    ours.set("x", 1)
    other.set("y", 2)
    assert ours.keys("*") == list(ours.iter_keys("*")) == ["x"]
    assert ours.delete_pattern("*") == 1
    assert other.get("y") == 2


@pytest.mark.parametrize("prefix", ["", "*", "a"])
def test_a_whole_pattern_is_taken_as_it_is_so_that_all_versions_of_a_prefix_can_be_deleted(
    redis_server: RedisServer, prefix: str
) -> None:
    need_package("redis")
    ours, other = (
        Ours(redis_server.url_db(2), params() | {"KEY_PREFIX": name}) for name in (prefix, "ab")
    )
    for number in range(3):
        ours.set("k", 1, version=number)
    other.set("k", 2)
    pattern = CacheKey(f"{literal(prefix)}:*")
    assert sorted(ours.keys(pattern)) == sorted(ours.iter_keys(pattern))
    assert ours.delete_pattern(pattern) == 3
    assert asyncio.run(ours.adelete_pattern(pattern)) == 0
    assert other.get("k") == 2


def test_another_prefix_can_be_named(pair: Pair) -> None:
    def script(cache: Any) -> Any:
        cache.set("a", 1)
        cache.key_prefix = "site"
        cache.set("a", 1)
        cache.key_prefix = ""
        return cache.delete_pattern("*", prefix="site"), cache.keys("*")

    pair.ours = getattr(pair.ours, "behind", pair.ours)
    assert pair.same(script) == (1, ["a"])


def make_key(key: Any, prefix: str, version: Any) -> str:
    return f"{prefix}#{version}#{key}"


def reverse_key(key: str) -> str:
    return key.split("#", 2)[2]


def test_functions_of_ones_own_make_and_unmake_keys(
    redis_server: RedisServer, redis_door: Callable[[Any], Any]
) -> None:
    need_package("redis")
    own = {"KEY_FUNCTION": make_key, "REVERSE_KEY_FUNCTION": reverse_key}
    cache = redis_door(Ours(redis_server.url_db(2), params() | own))
    cache.set("a:b", 1)
    assert cache.keys("*") == list(cache.iter_keys("a*")) == ["a:b"]
    assert redis_server.ask_all(("SELECT", 2), ("KEYS", "*"))[1] == [b"#1#a:b"]


def test_a_cluster_is_searched_and_swept_as_a_whole(
    redis_cluster: Any, redis_door: Callable[[Any], Any]
) -> None:
    need_package("redis")
    nodes = ",".join(node.address for node in redis_cluster.nodes)
    cache = redis_door(Ours(f"redis+cluster://{nodes}", params()))
    for number in range(60):
        cache.set(f"k{number}", number)
    cache.set("other", 1)
    wanted = {f"k{number}" for number in range(60)}
    assert set(cache.keys("k*")) == set(cache.iter_keys("k*", itersize=5)) == wanted
    assert cache.delete_pattern("k*", itersize=5) == 60
    assert cache.keys("*") == ["other"]
    cache.sadd("{one}a", 1, 2)
    cache.sadd("{one}b", 2, 3)
    assert cache.sinter("{one}a", "{one}b") == {2}
    lock = cache.lock("lock", timeout=5)
    assert lock.acquire()
    assert lock.extend(5)
    lock.release()


def test_slots_are_those_of_redis(redis_cluster: Any) -> None:
    for key in ("", "k", ":1:é", "{a}b", "b{a}", "{}a", "a{b", "{a}{b}", "x{}{a}"):
        asked = redis_cluster.nodes[0].ask("CLUSTER", "KEYSLOT", key)
        assert slot(key.encode()) == asked, key
