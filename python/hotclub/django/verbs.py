"""The verbs of caches in this process that need something of Python.

Django reads ``__func__`` of eight methods: five of them are the Rust ones in CPython's own clothes, three are
``def``s. The async verbs answer in the loop's own thread, without a thread per call: the stores of
this process never wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import SynchronousOnlyOperation

from hotclub import _hotclub
from hotclub.django.shared import SLOTS, Shared


class Verbs(Shared, _hotclub.Cache, house=True):
    """What Django reads ``__func__`` of, and the async verbs; the rest is Rust."""

    __slots__ = SLOTS

    # As they are, but with the `__func__` that Django reads.
    get_many = _hotclub.instance_method(_hotclub.Cache.get_many)
    set_many = _hotclub.instance_method(_hotclub.Cache.set_many)
    delete_many = _hotclub.instance_method(_hotclub.Cache.delete_many)
    has_key = _hotclub.instance_method(_hotclub.Cache.has_key)
    incr = _hotclub.instance_method(_hotclub.Cache.incr)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Move an entry to another version, for the default timeout; the new version."""
        return BaseCache.incr_version(self, key, delta, version)

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
