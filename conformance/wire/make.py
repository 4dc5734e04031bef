"""Writes the golden entries: what the released caches of others store for each value, in hex.

Run once for a release, ``python conformance/wire/make.py``, with that release installed; the files are kept
as they are and never edited by hand. ``python/tests/test_redis_golden.py`` reads them.
"""

from __future__ import annotations

import datetime
import decimal
import importlib.metadata
import json
import platform
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
#: What the values may name.
NAMES = {"datetime": datetime, "decimal": decimal, "uuid": uuid}

#: Of these every serializer gives back an equal value of the same type.
COMMON = (
    "None", "True", "False", "0", "42", "-7", "256", "2**63 - 1", "-2**63", "1.5", "''", "'hi'", "'é'",
    "'a' * 14", "'a' * 15", "'a' * 16", "'日本' * 40", "[]", "[1, 2]", "[None, [True, 'a']]", "{}",
    "{'a': 1}", "{'a': {'b': [1.5, 'x' * 200]}}",
)  # fmt: skip
#: Of these only pickle does.
PICKLED = (
    "2**80", "b''", "b'ab'", "b'\\x80'", "b'12'", "()", "(1,)", "(1, 'a')", "{1}", "frozenset({1})", "{1: 2}",
    "float('inf')", "datetime.datetime(2026, 1, 2, 3, 4, 5)", "datetime.date(2026, 1, 2)",
    "datetime.timedelta(days=-1, microseconds=1)", "decimal.Decimal('1.10')", "uuid.UUID(int=5)",
    "(lambda one: [one, one])(['ab'])", "['ab', 'ab']", "list(range(1001))",
    "1 - 2j", "range(3)", "bytearray(b'ab')",
)  # fmt: skip
SERIALIZERS = {
    "pickle": "PickleSerializer",
    "json": "JSONSerializer",
    "msgpack": "MSGPackSerializer",
}
COMPRESSORS = {
    "identity": "IdentityCompressor",
    "zlib": "ZlibCompressor",
    "gzip": "GzipCompressor",
    "lz4": "Lz4Compressor",
    "zstd": "ZStdCompressor",
    "lzma": "LzmaCompressor",
}


def value_of(text: str) -> Any:
    """The value that the text of an entry says."""
    return eval(text, dict(NAMES))


def entries(texts: tuple[str, ...], dumps: Callable[[Any], Any]) -> list[dict[str, str]]:
    """Each value as text, with the bytes that are stored for it."""
    found = []
    for text in texts:
        stored = dumps(value_of(text))
        # A whole number is left to redis-py, which sends it as text.
        data = stored if isinstance(stored, bytes) else repr(stored).encode()
        found.append({"value": text, "stored": data.hex()})
    return found


def write(path: str, packages: tuple[str, ...], content: list[dict[str, str]]) -> None:
    """One file; ``made_by`` says with what."""
    made_by = {name: importlib.metadata.version(name) for name in packages}
    made_by["python"] = platform.python_version()
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = {"made_by": made_by, "entries": content}
    target.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def release(package: str) -> str:
    """As ``django-6.1``."""
    return f"{package.lower()}-{'.'.join(importlib.metadata.version(package).split('.')[:2])}"


def of_django() -> None:
    """Django's own class."""
    from django.core.cache.backends.redis import RedisSerializer

    content = entries(COMMON + PICKLED, RedisSerializer().dumps)
    write(f"{release('Django')}/redis/plain.json", ("Django",), content)


def of_django_redis() -> None:
    """django-redis, with each serializer and compressor."""
    from django_redis.client import DefaultClient

    for serializer, of_serializer in SERIALIZERS.items():
        for compressor, of_compressor in COMPRESSORS.items():
            options: Mapping[str, str] = {
                "SERIALIZER": f"django_redis.serializers.{serializer}.{of_serializer}",
                "COMPRESSOR": f"django_redis.compressors.{compressor}.{of_compressor}",
            }
            client = DefaultClient("redis://127.0.0.1", {"OPTIONS": options}, None)
            texts = COMMON + PICKLED if serializer == "pickle" else COMMON
            packages = ("django-redis", "lz4", "pyzstd", "msgpack")
            path = f"{release('django-redis')}/redis/{serializer}-{compressor}.json"
            write(path, packages, entries(texts, client.encode))


def main() -> None:
    """Writes them all."""
    from django.conf import settings

    settings.configure()
    of_django()
    of_django_redis()


if __name__ == "__main__":
    sys.exit(main())
