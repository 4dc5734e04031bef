"""Golden entries of Memcached, in ``conformance/wire``: what Django stored is read, and written again."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from memcached_servers import MemcachedServer
from shapes import shape

WIRE = Path(__file__).parents[2] / "conformance" / "wire"
#: Whose entries they are, and our class in that client's place.
CLASSES = {"pymemcache": "PyMemcacheCache", "pylibmc": "PyLibMCCache"}
FILES = sorted(path for client in CLASSES for path in WIRE.glob(f"*/{client}/*.json"))
NAMES = {"datetime": datetime, "decimal": decimal, "uuid": uuid}
#: What reads entries: the cache, and the keys.
READ: dict[str, Callable[[Any, range], list[Any]]] = {
    "get": lambda cache, keys: [cache.get(key) for key in keys],
    "get_many": lambda cache, keys: list(cache.get_many(keys).values()),
}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(path.parts[-3:-1]))


class Entry(NamedTuple):
    """One value, what comes back for it, and what is stored."""

    value: Any
    read: Any
    flags: int
    stored: bytes


def entries_of(path: Path) -> list[Entry]:
    content = json.loads(path.read_text(encoding="utf-8"))["entries"]
    return [
        Entry(
            eval(entry["value"], dict(NAMES)),
            eval(entry.get("read", entry["value"]), dict(NAMES)),
            entry["flags"],
            bytes.fromhex(entry["stored"]),
        )
        for entry in content
    ]


def test_there_are_golden_entries_of_both_clients() -> None:
    assert {path.parts[-2] for path in FILES} == set(CLASSES)
    assert all(len(entries_of(path)) > 40 for path in FILES)


@each_file
@pytest.mark.parametrize("verb", READ)
@pytest.mark.parametrize("name", CLASSES.values())
def test_golden_entries_are_read_by_both_classes(
    name: str, verb: str, path: Path, configure: Any, memcached_server: MemcachedServer
) -> None:
    cache = opened(name, configure, memcached_server)
    entries = entries_of(path)
    for number, entry in enumerate(entries):
        head = f"ms :1:{number} {len(entry.stored)} F{entry.flags}\r\n".encode()
        assert memcached_server.ask(head + entry.stored) == b"HD\r\n"
    read = READ[verb](cache, range(len(entries)))
    assert [shape(value) for value in read] == [shape(entry.read) for entry in entries]


@each_file
def test_golden_entries_are_written_again(
    path: Path, configure: Any, memcached_server: MemcachedServer
) -> None:
    cache = opened(CLASSES[path.parts[-2]], configure, memcached_server)
    for number, entry in enumerate(entries_of(path)):
        cache.set(number, entry.value)
        head, data = memcached_server.ask(b"mg :1:%d v f" % number).split(b"\r\n", 1)
        expected = b"VA %d f%d" % (len(entry.stored), entry.flags)
        assert (head, data) == (expected, entry.stored + b"\r\n"), repr(entry.value)


def opened(name: str, configure: Any, server: MemcachedServer) -> Any:
    settings = {"BACKEND": f"hotclub.django.{name}", "LOCATION": server.address}
    return configure(default=settings)["default"]
