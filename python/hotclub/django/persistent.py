"""What caches share whose entries survive the process, on this machine's disk."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.base import BaseCache

from hotclub import _hotclub
from hotclub.django.loops import LoopVerbs
from hotclub.django.shared import SLOTS


class PersistentVerbs(LoopVerbs, _hotclub.PersistentCache, house=True):
    """What Django reads ``__func__`` of; the rest is Rust."""

    __slots__ = SLOTS

    # As they are, but with the `__func__` that Django reads.
    get_many = _hotclub.instance_method(_hotclub.PersistentCache.get_many)
    set_many = _hotclub.instance_method(_hotclub.PersistentCache.set_many)
    delete_many = _hotclub.instance_method(_hotclub.PersistentCache.delete_many)
    has_key = _hotclub.instance_method(_hotclub.PersistentCache.has_key)
    incr = _hotclub.instance_method(_hotclub.PersistentCache.incr)

    def decr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """Subtract ``delta``; see ``incr``."""
        return self.incr(key, -delta, version)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Move an entry to another version, for the default timeout; the new version."""
        return BaseCache.incr_version(self, key, delta, version)

    async def aclear(self) -> None:
        """See ``clear``."""
        await self._aclear()
