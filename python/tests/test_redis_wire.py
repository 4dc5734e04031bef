"""Old and new processes side by side on one server: each reads what the other wrote."""

from __future__ import annotations

import pickle
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hotclub.django import RedisCache

from backends import a_database
from calls import Chance
from doors import DOORS
from packages import need_package
from redis_values import COMMON, COMPRESSORS, RICH, Number, Whole, options_of
from shapes import random_value, shape

DJANGO = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
CODECS = [
    (serializer, compressor)
    for serializer in ("pickle", "json", "msgpack")
    for compressor in COMPRESSORS
]
#: Compressors whose output is the same whatever package and moment.
STEADY = ("identity", "zlib", "lz4", "lzma")


@dataclass
class Fleet:
    """Both classes on one database, with the same settings, and a look at the bytes."""

    old: Any
    new: Any
    raw: Any
    serializer: str = "pickle"
    compressor: str = "identity"
    old_is_django: bool = False

    def values(self) -> list[Any]:
        """Values that both classes can store."""
        # redis-py with hiredis refuses what django-redis leaves to it, numbers of a class of their own.
        rich = [value for value in RICH if self.old_is_django or type(value) is not Whole]
        values = [*COMMON, *(rich if self.serializer == "pickle" else [])]
        if self.serializer == "pickle":
            chance = Chance(5)
            values += [random_value(chance) for _ in range(150)]
            values += [
                "x" * 70_000,
                b"x" * 70_000,
                [b"y" * 66_000, "z" * 66_000],
                list(range(2500)),
            ]
        if self.serializer == "msgpack":
            values.remove(2**80)
        return values

    def stored(self, key: Any) -> bytes | None:
        """What the server has."""
        return self.raw.get(f":1:{key}")

    def has_steady_bytes(self, value: Any) -> bool:
        """Whether both are to write the very same."""
        return self.compressor in STEADY and type(value) is not Whole


def raw_client(location: str) -> Any:
    """redis-py alone, to look from behind."""
    return need_package("redis").Redis.from_url(location)


@pytest.fixture(params=["django", *(f"{one}-{other}" for one, other in CODECS)])
def codec_options(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The class replaced, and the OPTIONS of both."""
    if request.param == "django":
        return DJANGO, {}
    need_package("django_redis")
    return DJANGO_REDIS, options_of(*request.param.split("-"))


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """What puts ours behind its sync or its async verbs."""
    with DOORS[request.param]() as through:
        yield through


@pytest.fixture
def fleet(configure: Any, codec_options: tuple[str, dict[str, Any]], door: Any) -> Iterator[Fleet]:
    """A fleet of each serializer and compressor, ours behind either door."""
    path, options = codec_options
    location = a_database()
    old = {"BACKEND": path, "LOCATION": location, "OPTIONS": options}
    caches = configure(old=old, new={**old, "BACKEND": "hotclub.django.RedisCache"})
    names = {key: text.rsplit(".", 2)[1] for key, text in options.items()}
    with raw_client(location) as raw:
        yield Fleet(
            caches["old"],
            door(caches["new"]),
            raw,
            names.get("SERIALIZER", "pickle"),
            names.get("COMPRESSOR", "identity"),
            path == DJANGO,
        )


def test_each_reads_what_the_other_stored(fleet: Fleet) -> None:
    for number, value in enumerate(fleet.values()):
        fleet.old.set(f"old{number}", value)
        fleet.new.set(f"new{number}", value)
        expected = shape(fleet.old.get(f"old{number}"))
        assert shape(fleet.new.get(f"old{number}")) == expected, repr(value)[:200]
        assert shape(fleet.old.get(f"new{number}")) == expected, repr(value)[:200]
        assert shape(fleet.new.get(f"new{number}")) == expected, repr(value)[:200]


def test_the_many_verbs_too(fleet: Fleet) -> None:
    values = dict(enumerate(fleet.values()))
    old, new = ({f"{name}{key}": value for key, value in values.items()} for name in ("old", "new"))
    fleet.old.set_many(old)
    fleet.new.set_many(new)
    keys = [*old, *new, "missing"]
    seen, expected = fleet.new.get_many(keys), fleet.old.get_many(keys)
    assert list(seen) == list(expected)
    assert [shape(value) for value in seen.values()] == [
        shape(value) for value in expected.values()
    ]


def test_the_stored_bytes_are_the_same(fleet: Fleet) -> None:
    compared = 0
    for number, value in enumerate(fleet.values()):
        fleet.old.set(f"old{number}", value)
        fleet.new.set(f"new{number}", value)
        old, new = fleet.stored(f"old{number}"), fleet.stored(f"new{number}")
        if not fleet.has_steady_bytes(value):
            assert (new is None) is (old is None)
        elif type(value) is int or fleet.compressor == "identity":
            compared += 1
            # Rust writes the common types: as few bytes, or those of `pickle` itself.
            assert new == old or _same_pickle(new, old), repr(value)[:200]
        else:
            compared += new == old
    assert compared > 15 or fleet.compressor not in STEADY


def _same_pickle(one: bytes | None, other: bytes | None) -> bool:
    assert one is not None
    assert other is not None
    return one[:2] == other[:2] and shape(pickle.loads(one)) == shape(pickle.loads(other))


def test_counters_are_counted_by_both(fleet: Fleet) -> None:
    fleet.old.set("k", 5, 100)
    assert fleet.new.incr("k") == 6
    assert fleet.old.incr("k", 2) == 8
    assert fleet.new.decr("k", 10) == -2
    assert fleet.stored("k") == b"-2"
    fleet.new.set("n", 2**40, None)
    assert fleet.old.incr("n") == fleet.new.incr("n", 0) == 2**40 + 1
    assert 90 < fleet.raw.ttl(":1:k") <= 100
    assert fleet.raw.ttl(":1:n") == -1


@pytest.mark.parametrize("timeout", [None, 1, 2.5, 300, 86_400 * 400])
def test_deadlines_are_the_same(fleet: Fleet, timeout: Any) -> None:
    began = time.monotonic()
    for name, cache in (("old", fleet.old), ("new", fleet.new)):
        cache.set(f"{name}-set", [1], timeout)
        cache.add(f"{name}-add", [1], timeout)
        cache.set_many({f"{name}-many": [1]}, timeout)
        cache.set(f"{name}-touched", [1], 5000)
        cache.touch(f"{name}-touched", timeout)
    for verb in ("set", "add", "many", "touched"):
        old, new = (fleet.raw.pttl(f":1:{name}-{verb}") for name in ("old", "new"))
        # One was written after the other: on a busy machine that takes a while.
        between = (time.monotonic() - began) * 1000
        assert abs(old - new) < between + 200, verb


def test_one_deletes_what_the_other_stored(fleet: Fleet) -> None:
    fleet.old.set_many({"a": 1, "b": [2], "c": 3})
    assert fleet.new.delete("a") is True
    assert fleet.new.add("b", 5) is False
    assert fleet.new.has_key("b") is True
    fleet.new.delete_many(["b"])
    assert fleet.old.get_many("abc") == {"c": 3}
    fleet.new.clear()
    assert fleet.raw.dbsize() == 0


@pytest.mark.filterwarnings("ignore::django.core.cache.CacheKeyWarning")
def test_keys_are_the_same_bytes(configure: Any) -> None:
    location = a_database()
    odd = ["plain", "é日本", 5, None, "a b", ("t",), 1.5, "*?[x]"]
    for prefix, version in (("", 1), ("präfix", "v2"), ("a:b", 7)):
        more = {"LOCATION": location, "KEY_PREFIX": prefix, "VERSION": version}
        caches = configure(
            old={"BACKEND": DJANGO, **more}, new={"BACKEND": "hotclub.django.RedisCache", **more}
        )
        with raw_client(location) as raw:
            for key in odd:
                caches["old"].set(key, 1)
            old = set(raw.keys())
            raw.flushdb()
            caches["new"].set_many(dict.fromkeys(odd, 1))
            assert set(raw.keys()) == old
            raw.flushdb()


@pytest.mark.parametrize("path", [DJANGO, DJANGO_REDIS])
def test_what_is_no_entry_raises_what_it_raises_there(configure: Any, door: Any, path: str) -> None:
    location = a_database()
    ours = {"BACKEND": "hotclub.django.RedisCache", "LOCATION": location}
    if path == DJANGO_REDIS:
        ours["OPTIONS"] = {"DIALECT": "django-redis"}  # type: ignore[assignment]
    caches = configure(
        old={"BACKEND": path, "LOCATION": location},
        new=ours,
        miss={**ours, "OPTIONS": {**ours.get("OPTIONS", {}), "ON_DECODE_ERROR": "miss"}},  # type: ignore[dict-item]
    )
    new, miss = door(caches["new"]), door(caches["miss"])
    junk = [
        b"",
        b"foreign",
        b"\x80\x05",
        b"\x80\x05]\x94(K\x01",
        b"1_000",
        b" 12 ",
        b"+5",
        b"0x10",
        b"m\xa2hi",
    ]
    with raw_client(location) as raw:
        for data in junk:
            raw.set(":1:k", data)
            try:
                expected = caches["old"].get("k")
            except Exception as error:
                with pytest.raises(type(error)):
                    new.get("k")
                with pytest.raises(type(error)):
                    new.get_many(["k"])
                before = miss.stats()["undecodable"]
                assert miss.get("k", "default") == "default"
                assert miss.get_many(["k"]) == {}
                assert miss.stats()["undecodable"] == before + 2
                assert miss.has_key("k")
            else:
                assert new.get("k") == miss.get("k") == expected
        raw.delete(":1:k")
        raw.lpush(":1:k", "a list")
        for cache in (new, miss):
            with pytest.raises(need_package("redis.exceptions").ResponseError, match="WRONGTYPE"):
                cache.get("k")


def test_a_fleet_moves_to_another_dialect_while_it_runs(configure: Any, door: Any) -> None:
    """Write one, read both: no request sees a miss on the way from django-redis' bytes to Django's."""
    location = a_database()
    zlib = options_of("pickle", "zlib")
    new = {"BACKEND": "hotclub.django.RedisCache", "LOCATION": location}
    both = {"READ": ["django", "django-redis"], **zlib}
    caches = configure(
        before={"BACKEND": DJANGO_REDIS, "LOCATION": location, "OPTIONS": zlib},
        during={**new, "OPTIONS": {"DIALECT": "django-redis", **both}},
        after={**new, "OPTIONS": {"DIALECT": "django", **both}},
        django={"BACKEND": DJANGO, "LOCATION": location},
    )
    during, after = door(caches["during"]), door(caches["after"])
    values = [value for value in [*COMMON, *RICH] if type(value) is not Whole]
    for number, value in enumerate(values):
        caches["before"].set(f"before{number}", value)
        during.set(f"during{number}", value)
        after.set(f"after{number}", value)
        caches["django"].set(f"django{number}", value)
    for number, value in enumerate(values):
        for name in ("before", "during", "after", "django"):
            for reader in (during, after):
                assert shape(reader.get(f"{name}{number}")) == shape(value), (name, value)
        assert shape(caches["before"].get(f"during{number}")) == shape(value)
        assert shape(caches["django"].get(f"after{number}")) == shape(value)


def test_entries_of_django_vcache_are_read_during_a_move(configure: Any, door: Any) -> None:
    need_package("ormsgpack")
    theirs = need_package("django_vcache.backend").ValkeyCache
    location = a_database()
    new = {"BACKEND": "hotclub.django.RedisCache", "LOCATION": location}
    caches = configure(
        vcache={**new, "OPTIONS": {"DIALECT": "vcache"}},
        after={**new, "OPTIONS": {"READ": ["django", "vcache"]}},
    )
    vcache, after = door(caches["vcache"]), door(caches["after"])
    old = theirs(location, {})
    values = [42, -7, "hi", "x" * 5000, None, True, [1, [2]], {"a": 1}, 1.5, b"ab", Number.SEVEN]
    for number, value in enumerate(values):
        old.set(f"old{number}", value, 100)
        vcache.set(f"new{number}", value, 100)
    for number, value in enumerate(values):
        for name in ("old", "new"):
            for reader in (old, vcache, after):
                assert reader.get(f"{name}{number}") == value
    with raw_client(location) as raw:
        assert raw.get(":1:old2") == raw.get(":1:new2") == bytes.fromhex("6da26869")
        assert raw.ttl(":1:new2") in range(90, 101)
    assert vcache.incr("created", 5) == 5
    assert vcache.add("added", 1, 0) is False
    assert vcache.get_many(["old0", "new0", "missing"]) == {"old0": 42, "new0": 42}


def test_random_values_and_keys_of_both_writers_are_read_by_both(configure: Any) -> None:
    location = a_database()
    caches = configure(
        old={"BACKEND": DJANGO, "LOCATION": location},
        new={"BACKEND": "hotclub.django.RedisCache", "LOCATION": location},
    )
    chance = random.Random(11)
    for _ in range(300):
        key, value = f"k{chance.randrange(20)}", random_value(chance)
        writer, reader = chance.sample([caches["old"], caches["new"]], 2)
        writer.set(key, value)
        assert shape(reader.get(key)) == shape(writer.get(key))


def test_a_serializer_of_ones_own_is_used(configure: Any, door: Any) -> None:
    location = a_database()
    options = {"serializer": "serializers.Reversed"}
    caches = configure(
        old={"BACKEND": DJANGO, "LOCATION": location, "OPTIONS": options},
        new={"BACKEND": "hotclub.django.RedisCache", "LOCATION": location, "OPTIONS": options},
    )
    new = door(caches["new"])
    for value in [1, "text", [1, 2], {"a": None}, b"b"]:
        caches["old"].set("old", value)
        new.set("new", value)
        assert new.get("old") == caches["old"].get("new") == value
    assert isinstance(caches["new"], RedisCache)
