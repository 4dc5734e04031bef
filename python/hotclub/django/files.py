"""Files in a directory, in place of Django's class for them."""

from __future__ import annotations

import os
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.filebased import FileBasedCache as DjangosFileBasedCache
from django.core.exceptions import ImproperlyConfigured

from hotclub import _hotclub
from hotclub.django.loops import LoopVerbs
from hotclub.django.options import file_options
from hotclub.django.shared import SLOTS


class FileVerbs(LoopVerbs, _hotclub.Files, house=True):
    """What Django reads ``__func__`` of; the rest is Rust."""

    __slots__ = SLOTS

    # As they are, but with the `__func__` that Django reads.
    get_many = _hotclub.instance_method(_hotclub.Files.get_many)
    set_many = _hotclub.instance_method(_hotclub.Files.set_many)
    delete_many = _hotclub.instance_method(_hotclub.Files.delete_many)
    has_key = _hotclub.instance_method(_hotclub.Files.has_key)
    incr = _hotclub.instance_method(_hotclub.Files.incr)

    def decr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """Subtract ``delta``; see ``incr``."""
        return self.incr(key, -delta, version)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Move an entry to another version, for the default timeout; the new version."""
        return BaseCache.incr_version(self, key, delta, version)

    async def aclear(self) -> None:
        """See ``clear``."""
        await self._aclear()


class FileBasedCache(FileVerbs, DjangosFileBasedCache):
    """Files, in place of ``django.core.cache.backends.filebased.FileBasedCache``, side by side with it.

    ``LOCATION`` is the directory. OPTIONS: ``MAX_ENTRIES`` (300) and ``CULL_FREQUENCY`` (3) as Django has
    them; ``MAX_BYTES`` (a number or ``"64MiB"``); ``LEVEL`` of zlib from 0 to 9 (6); ``LOCK_LIMIT`` in
    seconds (2).
    """

    def __init__(self, dir: Any, params: dict[str, Any]) -> None:
        options = file_options(params)
        super().__init__(dir, params)
        try:
            path = os.path.abspath(dir)
            self._open_files(path, options.max_bytes, options.level, options.lock_limit)
        except ValueError as error:
            raise ImproperlyConfigured(f"hotclub: FileBasedCache at {dir!r}: {error}") from error
