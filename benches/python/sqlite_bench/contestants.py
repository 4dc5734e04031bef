"""The caches that are compared, each with a file of its own: WAL, the same entries, policy and durability.

diskcache has one shard here, not the eight of its default: one database each. Its ``Cache`` and
``FanoutCache`` are no Django backends: they neither compose nor check keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import diskcache
from django.core.cache import caches
from django.utils.module_loading import import_string

from kit.contestants import TIMEOUT, Contestant, Serverless, alias, configure
from kit.diskcaches import Entries
from sqlite_bench.store import File

HOTCLUB, DISKCACHE = "hotclub SQLiteCache", "diskcache DjangoCache"
CACHE, FANOUT = "diskcache Cache", "diskcache FanoutCache"
#: In rows in which durability differs.
HOTCLUB_OFF, DISKCACHE_OFF = f"{HOTCLUB}; synchronous OFF", f"{DISKCACHE}; synchronous OFF"
DISKCACHE_NORMAL = f"{DISKCACHE}; synchronous NORMAL"
EQUAL = (HOTCLUB, DISKCACHE, FANOUT, CACHE)
HASTY = (HOTCLUB_OFF, DISKCACHE_NORMAL, DISKCACHE_OFF)
ENTRIES = 1_500
_OURS, _THEIRS = "hotclub.django.SQLiteCache", "diskcache.DjangoCache"
_DJANGOS = (HOTCLUB, HOTCLUB_OFF, DISKCACHE, DISKCACHE_NORMAL, DISKCACHE_OFF)


class Policy(Enum):
    """Who goes when there is no room, in hotclub's word and in diskcache's."""

    NONE = ("never", "none")
    USE = ("use", "least-recently-used")
    AGE = ("age", "least-recently-stored")


class Arena:
    """Opens contestants on files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[tuple[str, Policy], Contestant] = {}
        self.absent = _absent()
        configure(
            {
                alias(name, policy.name): self._settings(name, policy)
                for name in _DJANGOS
                for policy in Policy
            }
        )

    def open(self, names: Iterable[str], policy: Policy) -> Iterable[Contestant]:
        for name in names:
            if name not in self.absent:
                if (name, policy) not in self._opened:
                    self._opened[name, policy] = _filled(self._open(name, policy))
                yield self._opened[name, policy]

    def subject_of(self, name: str) -> str:
        """Whom a contestant is compared with."""
        in_haste = name in HASTY
        if HOTCLUB in self.absent:
            return DISKCACHE_NORMAL if in_haste else DISKCACHE
        return HOTCLUB_OFF if in_haste else HOTCLUB

    def _open(self, name: str, policy: Policy) -> Contestant:
        path = self._path(name, policy)
        if name in (CACHE, FANOUT):
            raw = _raw(name, path, policy)
            return Serverless(name, Raw(raw), Entries(raw, prefix=""))
        cache = caches[alias(name, policy.name)]
        store: Any = File(path) if name.startswith(HOTCLUB) else Entries(cache._cache)
        return Serverless(name, cache, store)

    def _settings(self, name: str, policy: Policy) -> dict[str, Any]:
        ours, theirs = policy.value
        location = str(self._path(name, policy))
        waits = not name.endswith("OFF")
        if name.startswith(HOTCLUB):
            options = {"EVICTION": ours, "SYNCHRONOUS": "normal" if waits else "off"}
            return {"BACKEND": _OURS, "LOCATION": location, "OPTIONS": options}
        options = {"eviction_policy": theirs, "sqlite_synchronous": int(waits)}
        return {"BACKEND": _THEIRS, "LOCATION": location, "SHARDS": 1, "OPTIONS": options}

    def _path(self, name: str, policy: Policy) -> Path:
        return self._folder / f"{name} {policy.name}".replace(" ", "-").replace(";", "")


class Raw:
    """The verbs' names for a cache of diskcache, bound once: its own methods are what is called."""

    def __init__(self, cache: Any) -> None:
        self.get, self.incr, self.delete = cache.get, cache.incr, cache.delete
        self.set = partial(cache.set, expire=TIMEOUT)
        self._transact = cache.transact

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        return {key: self.get(key) for key in keys}

    def set_many(self, data: dict[str, Any]) -> None:
        with self._transact():
            for key, value in data.items():
                self.set(key, value)

    def delete_many(self, keys: Iterable[str]) -> None:
        with self._transact():
            for key in keys:
                self.delete(key)


def _filled(one: Contestant) -> Contestant:
    for number in range(ENTRIES):
        one.cache.set(f"entry:{number}", number)
    return one


def _raw(name: str, path: Path, policy: Policy) -> Any:
    _, theirs = policy.value
    if name == CACHE:
        return diskcache.Cache(str(path), eviction_policy=theirs)
    return diskcache.FanoutCache(str(path), shards=1, eviction_policy=theirs)


def _absent() -> dict[str, str]:
    try:
        import_string(_OURS)
    except ImportError as error:
        return dict.fromkeys((HOTCLUB, HOTCLUB_OFF), str(error))
    return {}
