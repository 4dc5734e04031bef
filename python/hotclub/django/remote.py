"""The verbs of caches on servers that need something of Python, once for all of them.

The blocking verbs are Rust. The async ones hand out a future of the running loop, whose socket is read and
written by that loop: no thread, no runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import SynchronousOnlyOperation

from hotclub import _hotclub
from hotclub.django.shared import SLOTS, Shared


class RemoteVerbs(Shared, _hotclub.Remote, house=True):
    """What Django reads ``__func__`` of, and the async verbs; the rest is Rust."""

    __slots__ = SLOTS

    # As they are, but with the `__func__` that Django reads.
    get_many = _hotclub.instance_method(_hotclub.Remote.get_many)
    set_many = _hotclub.instance_method(_hotclub.Remote.set_many)
    delete_many = _hotclub.instance_method(_hotclub.Remote.delete_many)
    has_key = _hotclub.instance_method(_hotclub.Remote.has_key)
    incr = _hotclub.instance_method(_hotclub.Remote.incr)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Move an entry to another version, for the default timeout; the new version."""
        return BaseCache.incr_version(self, key, delta, version)

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int | None:
        """Whole seconds from now, 0 for what is to end at once, None for never."""
        if timeout == DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        return None if timeout is None else max(0, int(timeout))

    async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """See ``get``."""
        return await self._aget(key, default, version)

    async def aset(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None, **more: Any
    ) -> Any:
        """See ``set``."""
        try:
            future = self._aset(key, value, timeout, version, **more)
        except SynchronousOnlyOperation:  # pickling a QuerySet runs its query
            return await sync_to_async(self.set)(key, value, timeout, version, **more)
        return await future

    async def aadd(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        """See ``add``."""
        try:
            future = self._aadd(key, value, timeout, version)
        except SynchronousOnlyOperation:
            return await sync_to_async(self.add)(key, value, timeout, version)
        return await future

    async def atouch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """See ``touch``."""
        return await self._atouch(key, timeout, version)

    async def adelete(self, key: Any, version: Any = None) -> bool:
        """See ``delete``."""
        return await self._adelete(key, version)

    async def aget_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        """See ``get_many``."""
        return await self._aget_many(keys, version)

    async def aset_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        """See ``set_many``."""
        try:
            future = self._aset_many(data, timeout, version)
        except SynchronousOnlyOperation:
            return await sync_to_async(self.set_many)(data, timeout, version)
        return await future

    async def adelete_many(self, keys: Iterable[Any], version: Any = None) -> Any:
        """See ``delete_many``."""
        return await self._adelete_many(keys, version)

    async def ahas_key(self, key: Any, version: Any = None) -> bool:
        """See ``has_key``."""
        return await self._ahas_key(key, version)

    async def aincr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """See ``incr``."""
        return await self._aincr(key, delta, version)

    async def adecr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """See ``decr``."""
        return await self.aincr(key, -delta, version)

    async def aincr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """See ``incr_version``."""
        return await BaseCache.aincr_version(self, key, delta, version)

    async def adecr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """See ``decr_version``."""
        return await self.aincr_version(key, -delta, version)

    def clear(self) -> Any:
        """Remove **every** entry of the database, whoever wrote it; see ``CLEAR``."""
        return self._flush()

    async def aclear(self) -> Any:
        """See ``clear``."""
        return await self._aflush()
