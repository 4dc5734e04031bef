"""The backends that the demo can run on: one function each, one line each in ``ROOMS``.

A room is a context manager. It gets a folder of its own, starts what it needs (nothing, or a
server on a free loopback port), yields ``CACHES["default"]`` and stops what it started. A room
whose server is not installed raises ``RoomUnavailable`` with a hint of what to install.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programs import RoomUnavailable, memcached_server, redis_server

__all__ = ["ROOMS", "Room", "RoomUnavailable", "parse_rooms"]

CacheSettings = dict[str, Any]


@dataclass(frozen=True)
class Room:
    """A backend, and whether server processes that use it see each other's entries."""

    open: Callable[[Path], AbstractContextManager[CacheSettings]]
    shared: bool


@contextmanager
def memory(folder: Path) -> Iterator[CacheSettings]:
    """The memory of this process: the fastest, and seen by no other process."""
    yield {"BACKEND": "hotclub.django.LocMemCache", "LOCATION": "cities", "TIMEOUT": 300}


@contextmanager
def file(folder: Path) -> Iterator[CacheSettings]:
    """A directory: seen by every process of this machine, with no server."""
    yield {
        "BACKEND": "hotclub.django.FileBasedCache",
        "LOCATION": str(folder / "cache"),
        "TIMEOUT": 300,
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }


@contextmanager
def sqlite(folder: Path) -> Iterator[CacheSettings]:
    """A file of SQLite's: seen by every process of this machine, with no server."""
    yield {
        "BACKEND": "hotclub.django.SQLiteCache",
        "LOCATION": str(folder / "cache.db"),
        "TIMEOUT": 300,
        "OPTIONS": {"MAX_BYTES": "64MiB"},
    }


@contextmanager
def database(folder: Path) -> Iterator[CacheSettings]:
    """A table in an SQLite file of its own: seen by every process of this machine, with no server."""
    yield {
        "BACKEND": "hotclub.django.DatabaseCache",
        "LOCATION": "cache_of_cities",
        "TIMEOUT": 300,
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }


@contextmanager
def redis(folder: Path) -> Iterator[CacheSettings]:
    """A redis-server of the demo's own: seen by every process that reaches it."""
    with redis_server(folder) as url:
        yield {"BACKEND": "hotclub.django.RedisCache", "LOCATION": f"{url}/1", "TIMEOUT": 300}


@contextmanager
def memcached(folder: Path) -> Iterator[CacheSettings]:
    """A memcached of the demo's own: seen by every process that reaches it."""
    with memcached_server(folder) as address:
        yield {"BACKEND": "hotclub.django.PyMemcacheCache", "LOCATION": address, "TIMEOUT": 300}


ROOMS: dict[str, Room] = {
    "memory": Room(memory, shared=False),
    "file": Room(file, shared=True),
    "sqlite": Room(sqlite, shared=True),
    "database": Room(database, shared=True),
    "redis": Room(redis, shared=True),
    "memcached": Room(memcached, shared=True),
}


def parse_rooms(names: str) -> list[str]:
    """Turns ``memory,redis`` or ``all`` into names of rooms; an unknown one is a ``ValueError``."""
    if names.strip() == "all":
        return list(ROOMS)
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in ROOMS]
    if unknown or not chosen:
        problem = f"unknown backend {', '.join(unknown)}" if unknown else "no backend was named"
        raise ValueError(f"{problem}; known are: {', '.join(ROOMS)} (or all)")
    return list(dict.fromkeys(chosen))
