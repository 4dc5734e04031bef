"""The verbs of Redis that need something of Python; the blocking ones are Rust."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from hotclub import _hotclub
from hotclub.django.loops import LoopVerbs
from hotclub.django.shared import SLOTS


class RemoteVerbs(LoopVerbs, _hotclub.Remote, house=True):
    """What Django reads ``__func__`` of; the rest is Rust."""

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

    def clear(self) -> Any:
        """Remove **every** entry of the database, whoever wrote it; see ``CLEAR``."""
        return self._flush()

    async def aclear(self) -> Any:
        """See ``clear``."""
        return await self._aflush()
