"""Values as bytes, in Django's dialect and in several: golden bytes, and both directions."""

from __future__ import annotations

import lzma
import pickle
import sys
import zlib
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisSerializer
from django.core.exceptions import ImproperlyConfigured
from hotclub.django import compressors
from hotclub.django.codecs import (
    Custom,
    NotDecodable,
    Plain,
    Several,
    integer,
    make_codec,
)
from hotclub.django.redis_options import redis_options

from packages import need_package
from redis_values import (
    COMMON,
    COMPRESSORS,
    DATE,
    RICH,
    SERIALIZERS,
    URL,
    codec,
    options_of,
    same,
    wire,
)

GOLDEN = {
    "none": (None, "80054e2e"),
    "true": (True, "8005882e"),
    "false": (False, "8005892e"),
    "float": (1.5, "8005950a00000000000000473ff80000000000002e"),
    "text": ("hi", "80059506000000000000008c026869942e"),
    "accent": ("é", "80059506000000000000008c02c3a9942e"),
    "empty text": ("", "80059504000000000000008c00942e"),
    "bytes": (b"ab", "800595060000000000000043026162942e"),
    "pair": ((1, "a"), "80059509000000000000004b018c01619486942e"),
    "no tuple": ((), "8005292e"),
    "list": ([1, 2], "80059509000000000000005d94284b014b02652e"),
    "dict": ({"a": 1}, "8005950a000000000000007d948c0161944b01732e"),
    "set": ({1}, "80059507000000000000008f94284b01902e"),
    "frozenset": (frozenset({1}), "8005950600000000000000284b0191942e"),
    "integer": (42, "3432"),
    "negative": (-7, "2d37"),
    "large": (2**80, "31323038393235383139363134363239313734373036313736"),
    "date": (
        DATE,
        "8005952a000000000000008c086461746574696d65948c086461746574696d65949394430a"
        "07ea010203040500000094859452942e",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_of_django(name: str) -> None:
    value, golden = GOLDEN[name]
    assert Plain().dumps(value).hex() == golden
    assert same(Plain().loads(bytes.fromhex(golden)), value)
    # The same in protocol 4 is what django-redis writes, and is read as well.
    older = golden.replace("8005", "8004", 1) if golden.startswith("8005") else golden
    assert same(Plain().loads(bytes.fromhex(older)), value)


@pytest.mark.parametrize("value", [*COMMON, *RICH], ids=repr)
def test_django_and_its_dialect_read_each_other(value: Any) -> None:
    theirs, ours = RedisSerializer(), Plain()
    written = theirs.dumps(value)
    written = written if isinstance(written, bytes) else repr(written).encode()
    assert ours.dumps(value) == written
    assert same(ours.loads(written), theirs.loads(ours.dumps(value)))


@pytest.mark.parametrize(
    ("data", "value"),
    [(b" 12 ", 12), (b"+5", 5), (b"1_000", 1000), (b"0012", 12), (b"-0", 0), (b"\n7\n", 7)],
)
def test_whatever_python_takes_for_an_integer_is_one(data: bytes, value: int) -> None:
    assert integer(data) == value
    assert Plain().loads(data) == value


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"1.5", b"1__0", b"9" * 4301, b"\x80\x05N.", "\u0661".encode()]
)
def test_what_python_does_not_take_for_an_integer_is_none(data: bytes) -> None:
    assert integer(data) is None


def test_damaged_and_foreign_bytes_raise_what_pickle_raises() -> None:
    for data, error in [
        (b"", EOFError),
        (b"foreign", pickle.UnpicklingError),
        (b"9" * 4301, Exception),
    ]:
        with pytest.raises(error):
            Plain().loads(data)


def test_plain_pickle_is_left_to_rust() -> None:
    def made(**options: Any) -> Any:
        return make_codec(redis_options(URL, {"OPTIONS": options}))

    assert made() is None
    assert made(CLIENT_CLASS="django_redis.client.DefaultClient", PICKLE_VERSION=2) is None
    plain = {"SERIALIZER": SERIALIZERS["pickle"], "COMPRESSOR": COMPRESSORS["identity"]}
    assert made(**plain) is None
    assert made(READ=["django", "django-redis"]) is None
    assert made(**plain | {"COMPRESSOR": COMPRESSORS["zlib"]}) is not None
    assert made(**plain | {"SERIALIZER": SERIALIZERS["json"]}) is not None
    assert made(READ=["django", "vcache"]) is not None
    assert made(serializer=Upper) is not None


class Upper:
    """A serializer as Django's documentation has it."""

    def dumps(self, value: Any) -> Any:
        return value if isinstance(value, (int, float, bytes)) else str(value).upper()

    def loads(self, data: bytes) -> Any:
        return data.decode()


@pytest.mark.parametrize("given", [Upper, Upper(), f"{__name__}.Upper", lambda: Upper()])
def test_a_serializer_is_an_object_a_class_a_function_or_a_path(
    given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())
    made = codec(serializer=given)
    assert made.dumps("text") == b"TEXT"
    assert made.dumps(5) == b"5"
    assert made.dumps(1.5) == b"1.5"
    assert made.dumps(b"raw") == b"raw"
    assert made.loads(b"5") == "5", "integers are the serializer's own business"


def _this_module() -> Any:
    import types

    module = types.ModuleType(__name__)
    module.Upper = Upper  # type: ignore[attr-defined]
    return module


def test_what_is_no_serializer_is_refused() -> None:
    for given, words in [(object(), "dumps and loads"), ("no.such.Class", "imported")]:
        with pytest.raises(ImproperlyConfigured, match=words):
            codec(serializer=given)
    for given in (None, True, [1]):
        with pytest.raises(TypeError, match=r"Upper\.dumps must return bytes"):
            Custom(_Returns(given)).dumps("x")


class _Returns(Upper):
    def __init__(self, given: Any) -> None:
        self.given = given
        type(self).__name__ = "Upper"

    def dumps(self, value: Any) -> Any:
        return self.given


def test_a_fleet_changes_from_vcache_to_django_while_it_runs() -> None:
    need_package("ormsgpack")
    for order in (["django", "vcache"], ["vcache", "django"]):
        ours = codec(DIALECT="django", READ=order)
        assert isinstance(ours, Several)
        for value in ["hi", True, None, ["x" * 2000], {"a": 1}, 42, -7, 1.5]:
            for written in (
                RedisSerializer().dumps(value),
                codec(DIALECT="vcache").dumps(value),
                codec(DIALECT="vcache", SERIALIZER="pickle").dumps(value),
            ):
                assert same(ours.loads(wire(written)), value), (order, value)
            assert ours.dumps(value) == Plain().dumps(value)


def test_an_old_pickle_that_begins_like_vcache_is_still_read() -> None:
    need_package("ormsgpack")
    old = pickle.dumps(300, 1)
    assert old[:1] == b"M"
    for order in (["django", "vcache"], ["vcache", "django"]):
        assert codec(READ=order).loads(old) == 300


def test_a_fleet_leaves_compression_while_it_runs() -> None:
    for name in ("zlib", "gzip", "lzma", "lz4", "zstd"):
        compressed = options_of("pickle", name)
        ours = codec(DIALECT="django", READ=["django", "django-redis"], **compressed)
        for value in ["hi", ["x" * 2000], {"a": 1}, 42, True]:
            assert same(ours.loads(codec(**compressed).dumps(value)), value)
            assert ours.dumps(value) == Plain().dumps(value)


def test_what_no_dialect_reads_is_the_error_of_the_first_that_has_one() -> None:
    need_package("ormsgpack")
    for order in (["django", "vcache"], ["vcache", "django"]):
        with pytest.raises(pickle.UnpicklingError):
            codec(READ=order).loads(b"foreign")
    with pytest.raises(NotDecodable):
        codec(DIALECT="vcache", READ=["vcache"]).loads(b"foreign")


def test_the_compressors_are_those_of_the_standard_library() -> None:
    data = b"x" * 1000
    assert zlib.decompress(compressors.ZlibCompressor({}).compress(data)) == data
    assert lzma.decompress(compressors.LzmaCompressor({}).compress(data)) == data
    for made in (
        compressors.ZlibCompressor,
        compressors.GzipCompressor,
        compressors.LzmaCompressor,
    ):
        with pytest.raises(compressors.CompressorError):
            made({}).decompress(b"something else altogether")
