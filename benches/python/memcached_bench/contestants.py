"""The caches that are compared, opened alike: one ``CACHES``, the same timeout, no option that matters.

Each of hotclub's two classes stands beside the one of Django's whose place it takes: their bytes are
the same. Each contestant has keys of its own by a prefix of the same length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.core.cache import caches

from kit.contestants import (
    FLOOR,
    KEY,
    TCP,
    UNIX,
    Bare,
    Contestant,
    Floor,
    alias,
    configure,
    connected,
)
from memcached_bench.server import Server, Servers, Store

PYMEMCACHE, DJANGO_PYMEMCACHE = "hotclub PyMemcacheCache", "Django PyMemcacheCache"
PYLIBMC, DJANGO_PYLIBMC = "hotclub PyLibMCCache", "Django PyLibMCCache"


@dataclass(frozen=True, slots=True)
class _Backend:
    path: str
    #: What Django's class of the pair imports.
    library: str
    #: Whose time its ratio is of.
    subject: str
    options: dict[str, Any] = field(default_factory=dict)


_DJANGO = "django.core.cache.backends.memcached."
#: pylibmc complains, at each connection, of a client that is made without behaviors.
_PYLIBMC_OPTIONS: dict[str, Any] = {"behaviors": {}}
#: The pairs, each member beside the other.
_BACKENDS = {
    PYMEMCACHE: _Backend("hotclub.django.PyMemcacheCache", "pymemcache", PYMEMCACHE),
    DJANGO_PYMEMCACHE: _Backend(_DJANGO + "PyMemcacheCache", "pymemcache", PYMEMCACHE),
    PYLIBMC: _Backend("hotclub.django.PyLibMCCache", "pylibmc", PYLIBMC, _PYLIBMC_OPTIONS),
    DJANGO_PYLIBMC: _Backend(_DJANGO + "PyLibMCCache", "pylibmc", PYLIBMC, _PYLIBMC_OPTIONS),
}


def subject_of(name: str) -> str:
    """Whom a contestant is compared with."""
    return _BACKENDS[name].subject if name in _BACKENDS else PYMEMCACHE


class Arena:
    """Opens contestants on the servers."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.absent = _absent()
        self._here = [
            name for name, backend in _BACKENDS.items() if backend.library not in self.absent
        ]
        configure(
            {
                alias(name, transport): self._settings(name, transport)
                for name in self._here
                for transport in (TCP, UNIX)
            }
        )

    def open(self, transport: str, with_floor: bool = False) -> Iterable[Contestant]:
        for name in self._here:
            cache = caches[alias(name, transport)]
            yield Contestant(name, cache, self._store(name, transport))
            if with_floor and name == DJANGO_PYMEMCACHE:
                yield self._floor(transport)

    def _floor(self, transport: str) -> Contestant:
        store = self._store(FLOOR, transport)
        request = b"mg %b v\r\n" % store.full_key(KEY).encode()
        bare = Bare(connected(store.server.where), request, store.put)
        return Floor(FLOOR, bare, store, lambda value: b"VA %d\r\n%b\r\n" % (len(value), value))

    def _settings(self, name: str, transport: str) -> dict[str, Any]:
        return {
            "BACKEND": _BACKENDS[name].path,
            "LOCATION": self._server(transport).location,
            "KEY_PREFIX": _prefix(name),
            "OPTIONS": _BACKENDS[name].options,
        }

    def _store(self, name: str, transport: str) -> Store:
        return Store(self._server(transport), _prefix(name))

    def _server(self, transport: str) -> Server:
        return self.servers.unix if transport == UNIX else self.servers.tcp


def _prefix(name: str) -> str:
    return f"bench{[*_BACKENDS, FLOOR].index(name)}"


def _absent() -> dict[str, str]:
    """The libraries that cannot be imported, and why; their pairs are left out."""
    absent = {}
    for library in sorted({backend.library for backend in _BACKENDS.values()}):
        try:
            import_module(library)
        except ImportError as error:
            absent[library] = str(error)
    return absent
