"""Values as bytes in the dialect of django-redis, both directions against the real one."""

from __future__ import annotations

import gzip
import pickle
import sys
import zlib
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hotclub.django import compressors, serializers
from hotclub.django.codecs import (
    PATHS,
    DjangoRedis,
    Plain,
    make_codec,
)
from hotclub.django.redis_options import redis_options

from packages import need_package
from redis_values import (
    COMMON,
    COMPRESSORS,
    RICH,
    SERIALIZERS,
    URL,
    Number,
    Whole,
    codec,
    options_of,
    same,
    wire,
)


def theirs(**options: Any) -> Any:
    """The real client, which is never connected."""
    client = need_package("django_redis.client").DefaultClient
    return client(URL, {"OPTIONS": options}, None)


def in_place_of_rust() -> Any:
    """What Rust does where there is no codec: the same through the classes of Python."""
    return DjangoRedis(serializers.PickleSerializer({}), compressors.IdentityCompressor({}))


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_django_redis_and_its_dialect_read_each_other(serializer: str, compressor: str) -> None:
    options = options_of(serializer, compressor)
    client = theirs(**options)
    ours = make_codec(redis_options(URL, {"OPTIONS": options})) or in_place_of_rust()
    values = [*COMMON, *(RICH if serializer == "pickle" else [])]
    for value in values:
        if serializer == "msgpack" and value == 2**80:
            continue
        written = wire(client.encode(value))
        read = client.decode(written)
        assert same(ours.loads(written), read), value
        assert same(client.decode(ours.dumps(value)), read), value
        if compressor not in ("gzip", "zstd") and type(value) is not Whole:
            assert ours.dumps(value) == written, value


@pytest.mark.parametrize("compressor", ["zlib", "gzip", "lz4", "zstd", "lzma"])
def test_only_what_is_longer_than_the_threshold_is_compressed(compressor: str) -> None:
    options = options_of("json", compressor)
    ours, client = codec(**options), theirs(**options)
    magic = {
        "zlib": b"\x78\x9c",
        "gzip": b"\x1f\x8b",
        "lz4": b"\x04\x22\x4d\x18",
        "zstd": b"\x28\xb5\x2f\xfd",
        "lzma": b"\xfd7zXZ\x00",
    }[compressor]
    limit = 100 if compressor == "lzma" else 15
    short, long = "x" * (limit - 2), "x" * (limit - 1)
    assert ours.dumps(short) == client.encode(short) == f'"{short}"'.encode()
    for dumps in (ours.dumps, client.encode):
        assert dumps(long).startswith(magic)


GOLDEN_DJANGO_REDIS = [
    ("pickle", "identity", "80049506000000000000008c026869942e"),
    ("pickle", "zlib", "789c6b6099cac600013d4c199953f40019630341"),
    ("json", "identity", "22686922"),
    ("msgpack", "identity", "a26869"),
]


@pytest.mark.parametrize(("serializer", "compressor", "golden"), GOLDEN_DJANGO_REDIS)
def test_golden_bytes_of_django_redis(serializer: str, compressor: str, golden: str) -> None:
    options = options_of(serializer, compressor)
    ours = make_codec(redis_options(URL, {"OPTIONS": options | {"PICKLE_VERSION": 4}})) or Plain(4)
    assert ours.loads(bytes.fromhex(golden)) == "hi"
    if compressor != "zlib" or zlib.ZLIB_RUNTIME_VERSION.startswith("1.2"):
        assert ours.dumps("hi").hex() == golden


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (42, True),
        (Whole(7), True),
        (2**80, True),
        (True, False),
        (Number.SEVEN, False),
        (1.5, False),
    ],
    ids=repr,
)
def test_integers_are_text_but_booleans_and_enums_are_not(value: Any, raw: bool) -> None:
    ours = codec(COMPRESSOR=COMPRESSORS["zlib"])
    assert ours.dumps(value).lstrip(b"-").isdigit() is raw
    assert ours.loads(ours.dumps(value)) == value
    assert not ours.compressed(42).isdigit(), "members of sorted sets are never raw"


@pytest.mark.parametrize("compressor", ["zlib", "gzip", "lz4", "zstd", "lzma"])
def test_entries_written_without_a_compressor_are_read(compressor: str) -> None:
    options = options_of("pickle", compressor)
    for value in ("text that is longer than any threshold" * 9, {"a": 1}, None):
        assert codec(**options).loads(pickle.dumps(value)) == value


@pytest.mark.parametrize("compressor", ["zlib", "gzip", "lz4", "zstd", "lzma"])
def test_cut_entries_fail_as_in_django_redis(compressor: str) -> None:
    options = options_of("pickle", compressor)
    ours, client = codec(**options), theirs(**options)
    whole = client.encode("x" * 5000)
    for length in (1, 3, 10, len(whole) // 2, len(whole) - 1):
        cut = whole[:length]
        expected, got = (_failure(loads, cut) for loads in (client.decode, ours.loads))
        if compressor == "zstd":  # the packages differ in what they say of half a frame
            assert got is not None
        else:
            assert got == expected, length


def _failure(loads: Any, data: bytes) -> str | None:
    try:
        loads(data)
    except Exception as error:
        return type(error).__name__
    return None


def test_the_serializer_s_protocol_is_the_option_pickle_version() -> None:
    zlib_only = {"COMPRESSOR": COMPRESSORS["lzma"]}
    assert codec(**zlib_only).dumps("hi") == pickle.dumps("hi")
    assert codec(PICKLE_VERSION=2, **zlib_only).dumps("hi") == pickle.dumps("hi", 2)
    assert codec(PICKLE_VERSION=-1, **zlib_only).dumps("hi") == pickle.dumps(
        "hi", pickle.HIGHEST_PROTOCOL
    )


def test_our_own_paths_and_classes_derived_from_them_work() -> None:
    made = codec(
        SERIALIZER="hotclub.django.serializers.JSONSerializer",
        COMPRESSOR="hotclub.django.compressors.GzipCompressor",
    )
    assert gzip.decompress(made.dumps("x" * 100)) == b'"' + b"x" * 100 + b'"'
    for name in (*serializers.__all__, *compressors.__all__):
        assert (
            name.startswith("Identity")
            or getattr(serializers, name, None)
            or hasattr(compressors, name)
        )
    assert sorted(PATHS) == sorted([*SERIALIZERS.values(), *COMPRESSORS.values()])


class Reverse:
    """A compressor of one's own, written for django-redis."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.mark = options["MARK"].encode()

    def compress(self, value: bytes) -> bytes:
        return self.mark + value[::-1]

    def decompress(self, value: bytes) -> bytes:
        if not value.startswith(self.mark):
            raise need_package("django_redis.exceptions").CompressorError
        return value[len(self.mark) :][::-1]


def test_classes_of_ones_own_get_options_and_may_raise_django_redis_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import types

    module = types.ModuleType("shop_codecs")
    module.Reverse = Reverse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_codecs", module)
    made = codec(COMPRESSOR="shop_codecs.Reverse", MARK="!")
    assert made.dumps("hi") == b"!" + pickle.dumps("hi")[::-1]
    assert made.loads(made.dumps("hi")) == "hi"
    assert made.loads(pickle.dumps("hi")) == "hi"


def test_a_class_that_cannot_be_imported_is_refused() -> None:
    for name in ("SERIALIZER", "COMPRESSOR"):
        with pytest.raises(ImproperlyConfigured, match=f"{name}.*no.such.Class"):
            codec(**{name: "no.such.Class"})


@pytest.mark.parametrize(
    ("options", "modules", "install"),
    [
        ({"COMPRESSOR": COMPRESSORS["lz4"]}, ["lz4", "lz4.frame"], "pip install lz4"),
        (
            {"COMPRESSOR": COMPRESSORS["zstd"]},
            ["compression.zstd", "backports.zstd", "pyzstd"],
            "pip install backports.zstd",
        ),
        ({"SERIALIZER": SERIALIZERS["msgpack"]}, ["msgpack"], "pip install msgpack"),
        ({"DIALECT": "vcache"}, ["ormsgpack"], "pip install ormsgpack"),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    options: dict[str, Any], modules: list[str], install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImproperlyConfigured, match=install):
        codec(**options)


@pytest.mark.parametrize("package", ["backports.zstd", "pyzstd"])
def test_any_package_for_zstd_reads_what_the_others_wrote(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_package(package)
    options = {"COMPRESSOR": COMPRESSORS["zstd"]}
    first = codec(**options).dumps("x" * 5000)
    others = {"compression.zstd", "backports.zstd", "pyzstd"} - {package}
    for other in others:
        monkeypatch.setitem(sys.modules, other, None)
    made = codec(**options)
    assert made.loads(first) == "x" * 5000
    assert made.loads(pickle.dumps("not a frame")) == "not a frame"
    with pytest.raises(pickle.UnpicklingError):
        made.loads(first[:-5])


def test_codecs_work_without_django_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("django_redis", "django_redis.exceptions", "redis"):
        monkeypatch.setitem(sys.modules, name, None)
    made = codec(COMPRESSOR=COMPRESSORS["zlib"], SERIALIZER=SERIALIZERS["json"])
    assert made.loads(made.dumps(["x" * 100])) == ["x" * 100]
