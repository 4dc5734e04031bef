"""The async verbs of caches behind a network and in files, once for all of them.

They hand out a future of the running loop. A socket is read and written by that loop, without a thread or
a runtime; files are by a few threads of the process, which wake the loop once for all that is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.exceptions import SynchronousOnlyOperation

from hotclub.django.shared import Shared


class LoopVerbs(Shared, house=True):
    """The async verbs, over those that Rust has with ``_a`` in front."""

    __slots__ = ()

    version: Any
    set: Any
    add: Any
    set_many: Any
    _aget: Any
    _aset: Any
    _aadd: Any
    _atouch: Any
    _adelete: Any
    _aget_many: Any
    _aset_many: Any
    _adelete_many: Any
    _ahas_key: Any
    _aincr: Any

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
        # Django's own would run the sync verb in a thread, since it is not the one of its base class.
        version = self.version if version is None else version
        value = await self.aget(key, self._missing_key, version)
        if value is self._missing_key:
            # As Django has it, a tuple by what is in it.
            raise ValueError("Key '%s' not found" % key)  # noqa: UP031
        await self.aset(key, value, version=version + delta)
        await self.adelete(key, version)
        return version + delta

    async def adecr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """See ``decr_version``."""
        return await self.aincr_version(key, -delta, version)
