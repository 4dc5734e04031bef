"""Signed values: what is signed, who is believed, and how a fleet comes to it and changes keys."""

from __future__ import annotations

import hmac
import itertools
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisSerializer
from django.core.exceptions import ImproperlyConfigured
from hotclub.django.codecs import Plain, Several, make_codec
from hotclub.django.redis_options import redis_options
from hotclub.django.signing import Signed
from hotclub.errors import CacheDecodeError

from doors import DOORS
from packages import need_package
from redis_values import COMMON, RICH, URL, Number, Whole, codec, options_of, same
from servers import RedisServer

OLD, NEW, FOREIGN = "the key of last year", b"the key of this year", "the key of somebody else"


class Json:
    """A serializer as Django's documentation has it."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


def vcache(serializer: str) -> dict[str, Any]:
    need_package("ormsgpack")
    return {"DIALECT": "vcache", "SERIALIZER": serializer}


DIALECTS: dict[str, Callable[[], dict[str, Any]]] = {
    "django": dict,
    "django-own": lambda: {"serializer": Json},
    "django-redis": lambda: options_of("pickle", "identity"),
    "django-redis-zlib": lambda: options_of("pickle", "zlib"),
    "django-redis-zstd": lambda: options_of("pickle", "zstd"),
    "django-redis-json": lambda: options_of("json", "identity"),
    "django-redis-msgpack-lz4": lambda: options_of("msgpack", "lz4"),
    "vcache": lambda: vcache("msgpack"),
    "vcache-pickle": lambda: vcache("pickle"),
}


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of one way to write values."""
    return DIALECTS[request.param]()


def unsigned(options: dict[str, Any]) -> Any:
    """The codec of these options without keys; Rust has none where it is plain pickle."""
    protocol = redis_options(URL, {"OPTIONS": options}).pickle_protocol
    return make_codec(redis_options(URL, {"OPTIONS": options})) or Plain(protocol)


def test_golden_bytes_of_a_signed_value() -> None:
    data = codec(SIGNING_KEYS=[OLD]).dumps("hi")
    payload = pickle.dumps("hi", 5)
    covered = b"hotclub signed value\0" + b"\xf8\x01" + b"pickle\0" + payload
    signature = hmac.digest(OLD.encode(), covered, "sha256")[:16]
    assert data == b"\xf8\x01" + signature + payload
    assert data.hex() == "f80137aa16a887fd4ec5b876a8a39177242780059506000000000000008c026869942e"


def test_each_dialect_signs_what_it_would_have_written(dialect: dict[str, Any]) -> None:
    signed, plain = codec(**dialect, SIGNING_KEYS=[NEW]), unsigned(dialect)
    for value in COMMON:
        data, payload = signed.dumps(value), plain.dumps(value)
        if type(value) is int:
            assert data == payload == b"%d" % value
        else:
            assert (data[:2], data[18:]) == (b"\xf8\x01", payload), value
        assert same(signed.loads(data), value), value


def test_every_shape_of_value_is_read_back() -> None:
    for options in ({}, options_of("pickle", "zlib"), options_of("pickle", "gzip")):
        signed = codec(**options, SIGNING_KEYS=[NEW])
        for value in RICH:
            expected = unsigned(options).loads(unsigned(options).dumps(value))
            assert same(signed.loads(signed.dumps(value)), expected), (options, value)


def test_only_what_the_dialect_writes_as_a_number_is_bare() -> None:
    ours = codec(SIGNING_KEYS=[NEW])
    for value in (True, False, Number.SEVEN, Whole(7), "42", b"42", 1.0):
        assert ours.dumps(value)[:1] == b"\xf8", value
    redis = codec(**options_of("pickle", "identity"), SIGNING_KEYS=[NEW])
    assert redis.dumps(Whole(7)) == b"7"
    assert redis.dumps(Number.SEVEN)[:1] == redis.dumps(True)[:1] == b"\xf8"
    for text in (b" 12 ", b"+5", b"1_000"):
        assert ours.loads(text) == int(text)


def test_a_number_is_read_without_asking_a_serializer_of_ones_own() -> None:
    class Refusing(Json):
        def loads(self, data: bytes) -> Any:
            raise AssertionError(f"asked for {data!r}")

    ours = codec(serializer=Refusing, SIGNING_KEYS=[NEW])
    assert ours.loads(ours.dumps(42)) == 42
    with pytest.raises(CacheDecodeError):
        ours.loads(b'"text"')
    with pytest.raises(AssertionError, match="asked"):
        ours.loads(ours.dumps("text"))


def test_true_is_no_number_even_where_a_serializer_writes_it_as_one() -> None:
    class Lax(Json):
        def dumps(self, value: Any) -> bytes:
            return b"%d" % value

        def loads(self, data: bytes) -> Any:
            return bool(int(data))

    ours = codec(serializer=Lax, SIGNING_KEYS=[NEW])
    assert ours.loads(ours.dumps(True)) is True
    assert ours.dumps(1) == b"1"


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_what_nobody_signed_is_refused_and_not_unpickled(
    dialect: dict[str, Any], tmp_path: Path
) -> None:
    ours = codec(**dialect, SIGNING_KEYS=[NEW])
    bomb = pickle.dumps(Bomb(tmp_path / "bomb"))
    for data in (
        bomb,
        b"p" + bomb,
        unsigned(dialect).dumps("hi"),
        unsigned(dialect).dumps(["x" * 2000]),
        b"",
        b"foreign",
        b"9" * 5000,
    ):
        with pytest.raises(CacheDecodeError, match=r"not signed.*SIGNING_READ_UNSIGNED"):
            ours.loads(data)
    for signature in (b"", b"\x00" * 16):
        with pytest.raises(CacheDecodeError, match="none of SIGNING_KEYS"):
            ours.loads(b"\xf8\x01" + signature + bomb)
    assert not (tmp_path / "bomb").exists()


def test_a_change_of_any_byte_is_noticed(dialect: dict[str, Any]) -> None:
    ours = codec(**dialect, SIGNING_KEYS=[OLD, NEW])
    data = ours.dumps({"name": "somebody with a name"})
    for place in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= change
            with pytest.raises(CacheDecodeError):
                ours.loads(bytes(changed))
    for length in range(len(data)):
        with pytest.raises(CacheDecodeError):
            ours.loads(data[:length])
    for changed in (data + b"\0", data * 2, data[:18] + ours.dumps("other")[18:]):
        with pytest.raises(CacheDecodeError):
            ours.loads(changed)
    with pytest.raises(CacheDecodeError, match="none of SIGNING_KEYS"):
        ours.loads(b"\xf8\x02" + data[2:])


def test_somebody_elses_key_is_not_believed(dialect: dict[str, Any]) -> None:
    theirs = codec(**dialect, SIGNING_KEYS=[FOREIGN]).dumps("hi")
    with pytest.raises(CacheDecodeError, match="none of SIGNING_KEYS"):
        codec(**dialect, SIGNING_KEYS=[OLD, NEW]).loads(theirs)


def test_all_keys_read_and_the_first_writes(dialect: dict[str, Any]) -> None:
    def of(*keys: str | bytes) -> Any:
        return codec(**dialect, SIGNING_KEYS=keys)

    value = ["a value", 1.5]
    known, turned, done = of(OLD, NEW), of(NEW, OLD), of(NEW)
    for reader in (of(OLD), known, turned):
        assert reader.loads(known.dumps(value)) == value
    for reader in (known, turned, done):
        assert reader.loads(turned.dumps(value)) == value
    with pytest.raises(CacheDecodeError):
        done.loads(known.dumps(value))
    with pytest.raises(CacheDecodeError):
        of(OLD).loads(turned.dumps(value))
    assert of(OLD).dumps(value) == known.dumps(value) != turned.dumps(value)


def test_one_key_need_not_be_in_a_list() -> None:
    for given in (OLD, OLD.encode(), [OLD], (OLD, OLD)):
        made = codec(SIGNING_KEYS=given)
        assert made.loads(codec(SIGNING_KEYS=[OLD]).dumps("hi")) == "hi"


def test_a_fleet_comes_to_signatures_in_three_steps(dialect: dict[str, Any]) -> None:
    both = {"SIGNING_READ_UNSIGNED": True, "SIGNING_KEYS": [NEW]}
    steps = [
        unsigned(dialect),
        codec(**dialect, **both, SIGNING_WRITE_UNSIGNED=True),
        codec(**dialect, **both),
        codec(**dialect, SIGNING_KEYS=[NEW]),
    ]
    for value in COMMON:
        assert steps[1].dumps(value) == steps[0].dumps(value)
        assert steps[2].dumps(value) == steps[3].dumps(value)
        # Neighbours in time, which run side by side, read each other.
        for one, other in itertools.pairwise(steps):
            if one is not steps[2]:  # what was written before it is given time to end
                assert same(one.loads(other.dumps(value)), value), value
                assert same(other.loads(one.dumps(value)), value), value
        assert same(steps[3].loads(steps[2].dumps(value)), value), value


def test_what_is_signed_wrongly_is_refused_where_unsigned_values_are_read(
    dialect: dict[str, Any],
) -> None:
    ours = codec(**dialect, SIGNING_KEYS=[NEW], SIGNING_READ_UNSIGNED=True)
    data = ours.dumps("hi")
    with pytest.raises(CacheDecodeError, match="none of SIGNING_KEYS"):
        ours.loads(data[:-1] + b"x")
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the dialect says of foreign bytes
        ours.loads(b"\x1bforeign")


def test_one_dialect_is_written_and_several_are_read_signed_or_not() -> None:
    need_package("ormsgpack")
    zlib = options_of("pickle", "zlib")
    read = {"READ": ["django", "django-redis", "vcache"], "DIALECT": "django", **zlib}
    written = [{}, zlib, {"DIALECT": "vcache"}]
    ours = codec(**read, SIGNING_KEYS=[NEW, OLD])
    both = codec(**read, SIGNING_KEYS=[NEW], SIGNING_READ_UNSIGNED=True)
    for value in ["hi", True, None, ["x" * 2000], {"a": 1}, 42, -7, 1.5]:
        assert ours.dumps(value) == codec(SIGNING_KEYS=[NEW]).dumps(value)
        for options in written:
            signed = codec(**options, SIGNING_KEYS=[OLD]).dumps(value)
            assert same(ours.loads(signed), value), (options, value)
            plain = unsigned(options).dumps(value)
            assert same(both.loads(plain), value), (options, value)
            if type(value) is not int:
                with pytest.raises(CacheDecodeError, match="not signed"):
                    ours.loads(plain)


def test_what_was_signed_as_one_format_is_not_read_as_another() -> None:
    """Else whoever gets text of their choice signed as it is could have it unpickled elsewhere."""

    class AsItIs(Json):
        def dumps(self, value: Any) -> Any:
            return value

    raw = codec(serializer=AsItIs, SIGNING_KEYS=[NEW])
    chosen = raw.dumps(pickle.dumps("chosen by an attacker"))
    for options in ({}, options_of("pickle", "zlib"), options_of("json", "identity")):
        with pytest.raises(CacheDecodeError, match="none of SIGNING_KEYS"):
            codec(**options, SIGNING_KEYS=[NEW]).loads(chosen)


def test_a_compressor_can_be_added_and_formats_that_are_the_same_are_one() -> None:
    plain, zlib = options_of("pickle", "identity"), options_of("pickle", "zlib")
    value = ["x" * 100]
    before, after, django = (
        codec(**options, SIGNING_KEYS=[NEW]) for options in (plain, zlib, dict[str, Any]())
    )
    assert after.loads(before.dumps(value)) == value
    assert django.loads(before.dumps(value)) == value
    assert before.loads(django.dumps(value)) == value


def test_no_unsigned_value_starts_as_a_signed_one(dialect: dict[str, Any]) -> None:
    plain = unsigned(dialect)
    for value in COMMON:
        assert plain.dumps(value)[:1] != b"\xf8"
    for value in ("", "\xf8", "\u00f8", "\x00"):
        assert plain.dumps(value)[:1] != b"\xf8"


def test_old_readers_refuse_signed_values(dialect: dict[str, Any]) -> None:
    data = codec(**dialect, SIGNING_KEYS=[NEW]).dumps("hi")
    with pytest.raises(Exception):  # noqa: B017, PT011 - each in its own way
        unsigned(dialect).loads(data)
    with pytest.raises(pickle.UnpicklingError):
        RedisSerializer().loads(data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"SIGNING_KEYS": ["short"]}, "at least 16 bytes: one has 5"),
        ({"SIGNING_KEYS": [NEW, ""]}, "at least 16 bytes: one has 0"),
        ({"SIGNING_KEYS": []}, "up to 8 keys"),
        ({"SIGNING_KEYS": None}, "up to 8 keys"),
        ({"SIGNING_KEYS": [NEW, None]}, "up to 8 keys"),
        ({"SIGNING_KEYS": {"new": NEW}}, "up to 8 keys"),
        ({"SIGNING_KEYS": [b"%16d" % number for number in range(9)]}, "up to 8 keys"),
        ({"SIGNING_READ_UNSIGNED": True}, "no SIGNING_KEYS"),
        ({"SIGNING_WRITE_UNSIGNED": True}, "no SIGNING_KEYS"),
        ({"SIGNING_KEYS": [NEW], "SIGNING_WRITE_UNSIGNED": True}, "SIGNING_READ_UNSIGNED"),
        ({"SIGNING_KEYS": [NEW], "SIGNING_READ_UNSIGNED": "no"}, "True or False"),
    ],
)
def test_settings_that_protect_nothing_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        codec(**options)
    assert words in str(caught.value)
    assert str(NEW) not in str(caught.value)
    assert "short" not in str(caught.value)


def test_keys_do_not_stand_in_urls() -> None:
    for query in (f"SIGNING_KEYS={'k' * 20}", "SAFE_PICKLE=1"):
        with pytest.raises(ImproperlyConfigured, match="in LOCATION"):
            redis_options(f"redis://h/1?{query}", {})
    with pytest.raises(ImproperlyConfigured, match="not in a URL"):
        redis_options("redis://h/1?SIGNING_READ_UNSIGNED=1", {})


def test_a_writer_of_unsigned_values_is_to_the_other_verbs_as_without_keys() -> None:
    given = {"SIGNING_KEYS": [NEW], "SIGNING_READ_UNSIGNED": True, "SIGNING_WRITE_UNSIGNED": True}
    made = codec(**given)
    assert isinstance(made, Several)
    assert isinstance(made.writer, Plain)
    assert isinstance(made.readers[0], Signed)


# Through the cache, over a server.


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """What puts a cache behind its sync or its async verbs."""
    with DOORS[request.param]() as through:
        yield through


@pytest.fixture
def opened(redis_server: RedisServer, configure: Any) -> Callable[..., list[Any]]:
    """``opened({...}, {...})``: a cache for each of these OPTIONS, on one database."""

    def make(*many: dict[str, Any]) -> list[Any]:
        params = {
            ("default" if not number else f"cache {number}"): {
                "BACKEND": "hotclub.django.RedisCache",
                "LOCATION": redis_server.url_db(0),
                "OPTIONS": options,
            }
            for number, options in enumerate(many)
        }
        caches = configure(**params)
        return [caches[alias] for alias in params]

    return make


def test_signed_values_go_through_every_verb_of_both_doors(
    opened: Callable[..., list[Any]],
    redis_server: RedisServer,
    door: Callable[[Any], Any],
    dialect: dict[str, Any],
) -> None:
    [made] = opened({**dialect, "SIGNING_KEYS": [NEW]})
    cache = door(made)
    cache.set("k", {"a": "b"})
    assert cache.get("k") == {"a": "b"}
    assert redis_server.ask("GET", made.make_key("k"))[:2] == b"\xf8\x01"
    assert cache.add("k", "other") is False
    cache.set_many({"one": "1", "number": 5})
    assert cache.get_many(["one", "number", "k"]) == {"one": "1", "number": 5, "k": {"a": "b"}}
    assert cache.incr("number", 2) == 7
    assert redis_server.ask("GET", made.make_key("number")) == b"7"
    assert cache.get("number") == 7
    assert cache.get_or_set("new", lambda: ["made"]) == ["made"]
    assert cache.incr_version("k") == 2
    assert cache.get("k", version=2) == {"a": "b"}


def test_what_an_attacker_puts_on_the_server_is_an_error_or_a_counted_miss(
    opened: Callable[..., list[Any]],
    redis_server: RedisServer,
    door: Callable[[Any], Any],
    tmp_path: Path,
) -> None:
    strict, lenient = opened(
        {"SIGNING_KEYS": [NEW]}, {"SIGNING_KEYS": [NEW], "ON_DECODE_ERROR": "miss"}
    )
    bomb = pickle.dumps(Bomb(tmp_path / "bomb"))
    redis_server.ask("SET", strict.make_key("k"), bomb)
    with pytest.raises(CacheDecodeError, match="not signed"):
        door(strict).get("k")
    with pytest.raises(CacheDecodeError, match="not signed"):
        door(strict).get_many(["k"])
    before = lenient.stats()["undecodable"]
    assert door(lenient).get("k", "a miss") == "a miss"
    assert door(lenient).get_many(["k"]) == {}
    assert lenient.stats()["undecodable"] == before + 2
    assert not (tmp_path / "bomb").exists()


def test_old_and_new_processes_share_a_server_while_keys_change(
    opened: Callable[..., list[Any]], door: Callable[[Any], Any]
) -> None:
    made = opened(
        {"SIGNING_KEYS": [OLD]}, {"SIGNING_KEYS": [OLD, NEW]}, {"SIGNING_KEYS": [NEW, OLD]}
    )
    old, known, turned = map(door, made)
    old.set("k", "by the old")
    assert (known.get("k"), turned.get("k")) == ("by the old", "by the old")
    turned.set("k", "by the new")
    assert known.get("k") == "by the new"
    with pytest.raises(CacheDecodeError):
        old.get("k")


def test_members_and_fields_are_signed_too(
    opened: Callable[..., list[Any]], redis_server: RedisServer
) -> None:
    for options in ({}, options_of("pickle", "zlib")):
        [cache] = opened({**options, "SIGNING_KEYS": [NEW]})
        cache.clear()
        cache.sadd("set", "a", "b", 5)
        assert cache.smembers("set") == {"a", "b", 5}
        assert cache.sismember("set", "a")
        cache.zadd("sorted", {"a": 1.0, 5: 2.0})
        assert cache.zrange("sorted", 0, -1) == ["a", 5]
        for member in redis_server.ask("ZRANGE", cache.make_key("sorted"), 0, -1):
            assert member[:2] == b"\xf8\x01"
        redis_server.ask("SADD", cache.make_key("set"), pickle.dumps("forged"))
        with pytest.raises(CacheDecodeError):
            cache.smembers("set")
        with pytest.raises(ValueError, match="match"):
            list(cache.sscan_iter("set", match="a*"))
