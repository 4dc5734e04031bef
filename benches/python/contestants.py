"""The caches that are compared, opened alike.

Django's LocMemCache and hotclub's are opened from one ``CACHES`` setting with the same options, and
keys go through the same prefix and version. cachebox is a mapping without keys' versions, pickling or
copies: it hands out the object it was given, so a mutable value is shared with the caller.
"""

from __future__ import annotations

from typing import Any

import cachebox
import django
from django.conf import settings
from django.core.cache import caches
from django.utils.connection import ConnectionProxy

HOTCLUB = "hotclub LocMemCache"
DJANGO = "Django LocMemCache"
LRU = "cachebox LRUCache"
TTL = "cachebox VTTLCache"

#: Raised equally, so that 100,000 keys fit; Django's default is 300.
MOST_ENTRIES = 200_000
TIMEOUT = 300
_BACKENDS = {
    HOTCLUB: "hotclub.django.LocMemCache",
    DJANGO: "django.core.cache.backends.locmem.LocMemCache",
}


def _options(name: str, location: str, most_entries: int) -> dict[str, Any]:
    options = {"MAX_ENTRIES": most_entries}
    return {
        "BACKEND": _BACKENDS[name],
        "LOCATION": location,
        "TIMEOUT": TIMEOUT,
        "OPTIONS": options,
    }


def _configure() -> None:
    aliases = {name: _options(name, "bench", MOST_ENTRIES) for name in _BACKENDS}
    #: Django's own limit: sets of new keys cull.
    small = {f"{name} small": _options(name, "bench-small", 300) for name in _BACKENDS}
    default = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.configure(CACHES=default | aliases | small)
    django.setup()


_configure()


def backends() -> dict[str, Any]:
    """The backend objects: what ``caches[alias]`` returns."""
    return {name: caches[name] for name in _BACKENDS}


def small_backends() -> dict[str, Any]:
    """The same with room for 300 entries, Django's default."""
    return {name: caches[f"{name} small"] for name in _BACKENDS}


def proxies() -> dict[str, Any]:
    """What ``django.core.cache.cache`` is: a proxy that looks the backend up at each call."""
    return {name: ConnectionProxy(caches, name) for name in _BACKENDS}


def mappings() -> dict[str, Any]:
    """cachebox, raw."""
    return {
        LRU: Mapping(cachebox.LRUCache(MOST_ENTRIES)),
        TTL: TimedMapping(cachebox.VTTLCache(MOST_ENTRIES)),
    }


class Mapping:
    """Gives a cachebox cache the verbs' names, bound once: its own methods are what is called."""

    def __init__(self, inner: Any) -> None:
        self.get = inner.get
        self.set = inner.insert
        self.delete = inner.pop
        self.clear = inner.clear


class TimedMapping(Mapping):
    """Each entry with a time to live."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        insert = inner.insert

        def set_with_timeout(key: str, value: Any) -> None:
            insert(key, value, TIMEOUT)

        self.set = set_with_timeout
