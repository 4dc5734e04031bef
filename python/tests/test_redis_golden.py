"""Golden entries, kept in ``conformance/wire``: what released caches stored is read, and written again."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from backends import REDIS, a_database, redis_of_the_topics
from packages import need_package
from redis_values import COMPRESSORS, SERIALIZERS
from shapes import shape

WIRE = Path(__file__).parents[2] / "conformance" / "wire"
FILES = sorted(WIRE.glob("*/redis/*.json"))
NAMES = {"datetime": datetime, "decimal": decimal, "uuid": uuid}
PACKAGES = {"msgpack": "msgpack", "lz4": "lz4", "zstd": "pyzstd"}
#: What these packages and libraries write differs between their releases, and gzip writes the time.
FREE = ("zlib", "gzip", "lz4", "zstd", "lzma")


def options_of(path: Path) -> dict[str, Any]:
    """OPTIONS of an alias that stores what the file holds."""
    if path.stem == "plain":
        return {}
    serializer, compressor = path.stem.split("-")
    for name in (serializer, compressor):
        if name in PACKAGES:
            need_package(PACKAGES[name])
    # The default of the Python that made the files; 3.14 has 5.
    own = {"PICKLE_VERSION": 4} if serializer == "pickle" else {}
    return {"SERIALIZER": SERIALIZERS[serializer], "COMPRESSOR": COMPRESSORS[compressor], **own}


def entries_of(path: Path) -> list[tuple[Any, bytes]]:
    """Values and what was stored for them."""
    content = json.loads(path.read_text(encoding="utf-8"))["entries"]
    return [
        (eval(entry["value"], dict(NAMES)), bytes.fromhex(entry["stored"])) for entry in content
    ]


def test_there_are_golden_entries_of_both() -> None:
    assert len(FILES) == 1 + len(SERIALIZERS) * len(COMPRESSORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_golden_entries_are_read_and_written_again(configure: Any, path: Path) -> None:
    location = a_database()
    settings = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": options_of(path)}
    cache = configure(default=settings)["default"]
    entries = entries_of(path)
    assert len(entries) > 20
    select = ("SELECT", int(location.rpartition("/")[2]))
    golden = [("SET", f":1:{number}", data) for number, (_, data) in enumerate(entries)]
    redis_of_the_topics().ask_all(select, *golden)
    read = cache.get_many(range(len(entries)))
    for number, (value, _) in enumerate(entries):
        assert shape(cache.get(number)) == shape(read[number]) == shape(value), repr(value)
        cache.set(number, value)
    asked = [("GET", f":1:{number}") for number in range(len(entries))]
    _, *written = redis_of_the_topics().ask_all(select, *asked)
    if not path.stem.endswith(FREE):
        assert written == [data for _, data in entries]
    else:
        assert [data[:2] for data in written] == [data[:2] for _, data in entries]
