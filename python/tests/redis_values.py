"""Values of every shape, and codecs made of settings."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from typing import Any

from hotclub.django.codecs import make_codec
from hotclub.django.redis_options import redis_options

from packages import need_package

URL = "redis://127.0.0.1:6379/1"
DATE = datetime.datetime(2026, 1, 2, 3, 4, 5)
SERIALIZERS = {
    "pickle": "django_redis.serializers.pickle.PickleSerializer",
    "json": "django_redis.serializers.json.JSONSerializer",
    "msgpack": "django_redis.serializers.msgpack.MSGPackSerializer",
}
COMPRESSORS = {
    "identity": "django_redis.compressors.identity.IdentityCompressor",
    "zlib": "django_redis.compressors.zlib.ZlibCompressor",
    "gzip": "django_redis.compressors.gzip.GzipCompressor",
    "lz4": "django_redis.compressors.lz4.Lz4Compressor",
    "zstd": "django_redis.compressors.zstd.ZStdCompressor",
    "lzma": "django_redis.compressors.lzma.LzmaCompressor",
}


class Number(enum.IntEnum):
    SEVEN = 7


class Whole(int):
    """An int that is not exactly one."""


#: Understood by every serializer.
COMMON = [
    0, -7, 42, 2**63 - 1, -(2**63), 2**80, True, False, None, 1.5, "", "hi", "é", "x" * 15, "x" * 16,
    "x" * 1000, "日本" * 5000, [], [1, 2], [None, [True, "a"]], {"a": 1}, {"a": {"b": [1.5]}},
]  # fmt: skip
#: Understood by pickle alone.
RICH = [
    b"ab", b"\x80", b"12", (1, "a"), {1}, frozenset({1}), {1: 2}, DATE, decimal.Decimal("1.10"),
    uuid.UUID(int=5), Number.SEVEN, Whole(7), 1j, range(3),
]  # fmt: skip


def codec(**options: Any) -> Any:
    made = make_codec(redis_options(URL, {"OPTIONS": options}))
    assert made is not None
    return made


def same(one: Any, other: Any) -> bool:
    return bool(one == other) and type(one) is type(other)


def wire(encoded: Any) -> bytes:
    return encoded if isinstance(encoded, bytes) else repr(encoded).encode()


def options_of(serializer: str, compressor: str) -> dict[str, str]:
    package = {"msgpack": "msgpack", "lz4": "lz4", "zstd": "pyzstd"}
    for name in (serializer, compressor):
        if name in package:
            need_package(package[name])
    return {"SERIALIZER": SERIALIZERS[serializer], "COMPRESSOR": COMPRESSORS[compressor]}
