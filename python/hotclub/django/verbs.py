"""The verbs that need something of Python, once for all backends.

Django reads ``__func__`` of eight methods: five of them are the Rust ones in CPython's own clothes, three are
``def``s. The async verbs answer in the loop's own thread, without a thread per call: the stores of
this process never wait.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import SynchronousOnlyOperation

from hotclub import _hotclub, tracing

#: For each sync verb, the async ones whose answer depends on it.
ASYNC_OF: dict[str, tuple[str, ...]] = {
    "get": ("aget", "aget_many", "aincr_version", "adecr_version"),
    "set": ("aset", "aset_many", "aincr_version", "adecr_version"),
    "add": ("aadd",),
    "touch": ("atouch",),
    "delete": ("adelete", "adelete_many", "aincr_version", "adecr_version"),
    "get_many": ("aget_many",),
    "set_many": ("aset_many",),
    "delete_many": ("adelete_many",),
    "get_or_set": ("aget_or_set",),
    "has_key": ("ahas_key",),
    "incr": ("aincr", "adecr"),
    "decr": ("adecr",),
    "incr_version": ("aincr_version", "adecr_version"),
    "decr_version": ("adecr_version",),
    "clear": ("aclear",),
    "close": ("aclose",),
}


#: Verbs whose async twin in Django's base class is the verb in a thread, in every release.
THREADED = {"get", "set", "add", "touch", "delete", "clear", "close"}

#: For each async verb, those that Django's base class makes of it.
ASYNC_BELOW: dict[str, tuple[str, ...]] = {
    "aget": ("aget_many", "aincr_version"),
    "aset": ("aset_many", "aincr_version"),
    "adelete": ("adelete_many", "aincr_version"),
    "aincr": ("adecr",),
    "aincr_version": ("adecr_version",),
}


def _in_a_thread(verb: str) -> Any:
    """Make the async twin of a verb that may block."""

    @wraps(getattr(BaseCache, "a" + verb))
    async def twin(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return await sync_to_async(getattr(self, verb))(*arguments, **keywords)

    return twin


class Verbs(_hotclub.Cache):
    """What Django reads ``__func__`` of, and the async verbs; the rest is Rust."""

    # What Django's base class sets on every object. In slots, the object's own dict stays unmade, and
    # CPython finds methods without looking into it: a quarter of a `get` (measured).
    __slots__ = (
        "_cull_frequency",
        "_max_entries",
        "default_timeout",
        "key_func",
        "key_prefix",
        "version",
    )
    _missing_key: Any

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Keep Django's promise to subclasses: an overridden sync verb also changes its async twin.

        Such a verb may block, so its twin runs it in a thread; what depends on it goes back to Django's own.
        """
        super().__init_subclass__(**keywords)
        for verb, twins in ASYNC_OF.items():
            own = getattr(Verbs, verb, None) or getattr(BaseCache, verb)
            if getattr(cls, verb, own) is own:
                continue
            for twin in twins:
                if getattr(cls, twin, None) is not getattr(Verbs, twin):
                    continue
                missing = twin == "a" + verb and verb not in THREADED
                setattr(cls, twin, _in_a_thread(verb) if missing else getattr(BaseCache, twin))
        for verb, others in ASYNC_BELOW.items():
            if getattr(cls, verb, None) in (getattr(Verbs, verb), getattr(BaseCache, verb), None):
                continue
            for other in others:
                if getattr(cls, other) is getattr(Verbs, other):
                    setattr(cls, other, getattr(BaseCache, other))

    def __copy__(self) -> Any:
        """Another object with the same attributes before the same store."""
        copy = type(self).__new__(type(self))
        copy._share(self)
        for name in Verbs.__slots__:
            setattr(copy, name, getattr(self, name))
        for name, value in vars(self).items():
            setattr(copy, name, value)
        return copy

    # As they are, but with the `__func__` that Django reads.
    get_many = _hotclub.instance_method(_hotclub.Cache.get_many)
    set_many = _hotclub.instance_method(_hotclub.Cache.set_many)
    delete_many = _hotclub.instance_method(_hotclub.Cache.delete_many)
    has_key = _hotclub.instance_method(_hotclub.Cache.has_key)
    incr = _hotclub.instance_method(_hotclub.Cache.incr)

    def get_or_set(
        self, key: Any, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        """Read a value, or store and return ``default`` (called, if it can be)."""
        value = self.get(key, self._missing_key, version=version)
        if value is not self._missing_key:
            return value
        if callable(default):
            with tracing.generating():
                default = default()
        self.add(key, default, timeout=timeout, version=version)
        # Read again: somebody else may have stored a value meanwhile, and the first one stays.
        return self.get(key, default, version=version)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Move an entry to another version, for the default timeout; the new version."""
        return BaseCache.incr_version(self, key, delta, version)

    def close(self, **keywords: Any) -> None:
        """Keep the store: Django calls this at the end of each request."""

    async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """See ``get``."""
        return self.get(key, default, version)

    async def aset(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        """See ``set``."""
        try:
            self.set(key, value, timeout, version)
        except SynchronousOnlyOperation:  # pickling a QuerySet runs its query
            await sync_to_async(self.set)(key, value, timeout, version)

    async def aadd(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        """See ``add``."""
        try:
            return self.add(key, value, timeout, version)
        except SynchronousOnlyOperation:
            return await sync_to_async(self.add)(key, value, timeout, version)

    async def atouch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """See ``touch``."""
        return self.touch(key, timeout, version)

    async def adelete(self, key: Any, version: Any = None) -> bool:
        """See ``delete``."""
        return self.delete(key, version)

    async def aget_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        """See ``get_many``."""
        return self.get_many(keys, version)

    async def aset_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> list[Any]:
        """See ``set_many``."""
        try:
            return self.set_many(data, timeout, version)
        except SynchronousOnlyOperation:
            return await sync_to_async(self.set_many)(data, timeout, version)

    async def adelete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        """See ``delete_many``."""
        self.delete_many(keys, version)

    async def ahas_key(self, key: Any, version: Any = None) -> bool:
        """See ``has_key``."""
        return self.has_key(key, version)

    async def aincr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """See ``incr``."""
        return self.incr(key, delta, version)

    async def adecr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """See ``decr``."""
        return self.decr(key, delta, version)  # type: ignore[attr-defined]

    async def aincr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """See ``incr_version``."""
        return self.incr_version(key, delta, version)

    async def adecr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """See ``decr_version``."""
        return self.decr_version(key, delta, version)  # type: ignore[attr-defined]

    async def aclear(self) -> None:
        """See ``clear``."""
        self.clear()

    async def aclose(self, **keywords: Any) -> None:
        """See ``close``."""
        self.close(**keywords)

    async def aget_or_set(
        self, key: Any, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        """See ``get_or_set``. What ``default`` returns is awaited, if it can be."""
        value = await self.aget(key, self._missing_key, version=version)
        if value is not self._missing_key:
            return value
        if callable(default):
            with tracing.generating():
                default = default()
                if inspect.isawaitable(default):
                    default = await default
        await self.aadd(key, default, timeout=timeout, version=version)
        return await self.aget(key, default, version=version)
