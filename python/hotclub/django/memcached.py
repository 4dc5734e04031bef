"""Memcached, in place of Django's two classes for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, ClassVar

from django.core.cache.backends.base import (
    DEFAULT_TIMEOUT,
    BaseCache,
    InvalidCacheKey,
    memcache_key_warnings,
)
from django.core.exceptions import ImproperlyConfigured

from hotclub import _hotclub
from hotclub.django.loops import LoopVerbs
from hotclub.django.memcached_options import memcached_options
from hotclub.django.shared import SLOTS

#: The server takes more seconds than these for a point in time.
MOST_RELATIVE = 30 * 24 * 60 * 60
#: It counts seconds in 32 bits: what is longer would be over at once, what is long over would never be.
OUT_OF_SIGHT = 2**31


class MemcachedVerbs(LoopVerbs, _hotclub.Memcached, house=True):
    """What Django reads ``__func__`` of, and what its base class for Memcached defines; the rest is Rust."""

    __slots__ = SLOTS

    # As they are, but with the `__func__` that Django reads.
    get_many = _hotclub.instance_method(_hotclub.Memcached.get_many)
    set_many = _hotclub.instance_method(_hotclub.Memcached.set_many)
    delete_many = _hotclub.instance_method(_hotclub.Memcached.delete_many)
    has_key = _hotclub.instance_method(_hotclub.Memcached.has_key)
    incr = _hotclub.instance_method(_hotclub.Memcached.incr)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Move an entry to another version, for the default timeout; the new version."""
        return BaseCache.incr_version(self, key, delta, version)

    async def aset(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None, **more: Any
    ) -> None:
        """See ``set``."""
        try:
            await super().aset(key, value, timeout, version, **more)
        except asyncio.CancelledError:
            # What it was to replace may be there still, or not: nobody is to read it.
            self._owe([key], version)
            raise

    async def atouch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """See ``touch``."""
        try:
            return await super().atouch(key, timeout, version)
        except asyncio.CancelledError:
            # It may have been to end it.
            self._owe([key], version)
            raise

    async def adelete(self, key: Any, version: Any = None) -> bool:
        """See ``delete``."""
        try:
            return await super().adelete(key, version)
        except asyncio.CancelledError:
            self._owe([key], version)
            raise

    async def adelete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        """See ``delete_many``."""
        keys = list(keys)
        try:
            await super().adelete_many(keys, version)
        except asyncio.CancelledError:
            self._owe(keys, version)
            raise

    async def aset_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> list[Any]:
        """See ``set_many``."""
        try:
            failed: list[Any] = await super().aset_many(data, timeout, version)
        except asyncio.CancelledError:
            self._owe(list(data), version)
            raise
        return failed

    async def aclear(self) -> None:
        """See ``clear``."""
        try:
            await self._aclear()
        except asyncio.CancelledError:
            self._owe_all()
            raise

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int:
        """Whole seconds: 0 never ends, below 0 ends at once, beyond 30 days is a point in time."""
        if timeout == DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        if timeout is None:
            return 0
        if int(timeout) == 0:
            return -1
        seconds = int(timeout + int(time.time()) if timeout > MOST_RELATIVE else timeout)
        if abs(seconds) < OUT_OF_SIGHT:
            return seconds
        return 0 if seconds > 0 else -1

    def validate_key(self, key: Any) -> None:
        """Refuse what memcached would refuse."""
        for warning in memcache_key_warnings(key):
            raise InvalidCacheKey(warning)


class MemcachedCache(MemcachedVerbs, BaseCache, house=True):
    """Memcached with pymemcache's bytes and placement of keys, and options of our own.

    ``LOCATION``: one node or several, ``host:port`` or the path of a socket; as a list, or as text with
    ``;`` or ``,`` between. OPTIONS: see the reference.
    """

    _made_of: ClassVar[dict[str, tuple[str, ...]]] = {"get": ("has_key",)}
    _house_methods: ClassVar[dict[str, Any]]
    #: Whose options, bytes and placement these are.
    _library: ClassVar[str] = "pymemcache"

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        name = type(self).__name__
        options = memcached_options(server, params, self._library, name)
        made = options.as_rust()
        try:
            self._open_memcached(repr(sorted(made.items(), key=str)), made)
        except ValueError as error:
            where = ", ".join(options.servers)
            raise ImproperlyConfigured(f"hotclub: {name} at {where}: {error}") from error

    @property
    def _lib(self) -> Any:
        """The library that this class stands in for, where code looks for its exceptions."""
        return import_module(self._library)


class PyMemcacheCache(MemcachedCache):
    """In place of ``django.core.cache.backends.memcached.PyMemcacheCache``."""


class PyLibMCCache(MemcachedCache):
    """In place of ``django.core.cache.backends.memcached.PyLibMCCache``."""

    _library = "pylibmc"


# What Rust takes the place of, so that only a subclass that overrides these pays for a call of Python.
MemcachedCache._house_methods = {
    "validate_key": MemcachedCache.validate_key,
    "get_backend_timeout": MemcachedCache.get_backend_timeout,
}
