"""Values as bytes in the dialect of django-vcache, both directions against the real one."""

from __future__ import annotations

import decimal
import pickle
import zlib
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hotclub.django.codecs import (
    NotDecodable,
)

from packages import need_package
from redis_values import (
    COMMON,
    COMPRESSORS,
    DATE,
    URL,
    Number,
    codec,
    same,
)


def vcache(**options: Any) -> Any:
    """The real backend, which is never connected."""
    return need_package("django_vcache.backend").ValkeyCache(URL, {"OPTIONS": options})


def read_by(cache: Any, data: bytes) -> Any:
    found = cache._decode(data)
    return NotDecodable if found is need_package("django_vcache.backend")._MISSING else found


GOLDEN_VCACHE = [
    ("hi", "6da26869"),
    (True, "6dc3"),
    (None, "6dc0"),
    (b"ab", "6dc4026162"),
    ((1, "a"), "6d9201a161"),
    ({"a": 1}, "6d81a16101"),
    (DATE, "6db3323032362d30312d30325430333a30343a3035"),
    (42, "3432"),
    (Number.SEVEN, "37"),
]


@pytest.mark.parametrize(("value", "golden"), GOLDEN_VCACHE, ids=repr)
def test_golden_bytes_of_vcache(value: Any, golden: str) -> None:
    need_package("ormsgpack")
    assert codec(DIALECT="vcache").dumps(value).hex() == golden


@pytest.mark.parametrize("serializer", ["msgpack", "pickle"])
def test_vcache_and_its_dialect_read_each_other(serializer: str) -> None:
    real = vcache(SERIALIZER=serializer)
    ours = codec(DIALECT="vcache", SERIALIZER=serializer)
    values = [value for value in COMMON if value != 2**80]
    for value in [*values, 2**80, b"ab", DATE, {"k": "v" * 5000}, ["é"] * 2000]:
        written = real._encode(value)
        assert ours.dumps(value)[:1] == written[:1]
        assert same(ours.loads(written), read_by(real, ours.dumps(value))), value
    for length in (1023, 1024, 1025):
        value = b"x" * (length - 3 if serializer == "msgpack" else length)
        assert ours.dumps(value)[:1] == real._encode(value)[:1], length
    assert codec(DIALECT="vcache", COMPRESS_MIN_LEN=0).dumps("x" * 5000)[:1] == b"m"


def test_the_golden_pickle_of_vcache() -> None:
    need_package("ormsgpack")
    golden = bytes.fromhex("7080049506000000000000008c026869942e")
    ours = codec(DIALECT="vcache", SERIALIZER="pickle")
    assert ours.loads(golden) == "hi"
    assert ours.dumps("hi") == b"p" + pickle.dumps("hi")


@pytest.mark.parametrize("value", [{1}, decimal.Decimal(1), {1: 2}], ids=repr)
def test_what_message_pack_does_not_know_is_a_type_error(value: Any) -> None:
    need_package("ormsgpack")
    with pytest.raises(TypeError):
        codec(DIALECT="vcache").dumps(value)


FOREIGN = [
    b"", b"abc", b"m", b"M", b"m\xc1", b"Mnothing", b"x", pickle.dumps("hi"), pickle.dumps(300, 1),
    zlib.compress(pickle.dumps("hi")), b"p" + pickle.dumps("hi"), b"P\x28\xb5\x2f\xfd", b"1.5", b" 12 ",
]  # fmt: skip


@pytest.mark.parametrize("data", FOREIGN, ids=repr)
def test_what_vcache_cannot_read_is_a_miss_and_never_an_error(data: bytes) -> None:
    real, ours = vcache(), codec(DIALECT="vcache")
    expected = read_by(real, data)
    if expected is NotDecodable:
        with pytest.raises(NotDecodable):
            ours.loads(data)
    else:
        assert ours.loads(data) == expected


def test_vcache_has_no_other_codecs() -> None:
    need_package("ormsgpack")
    for options in ({"SERIALIZER": "json"}, {"COMPRESSOR": COMPRESSORS["zlib"]}):
        with pytest.raises(ImproperlyConfigured, match="'msgpack' or 'pickle'"):
            codec(DIALECT="vcache", **options)
