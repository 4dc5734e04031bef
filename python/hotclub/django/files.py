"""Files in a directory, in place of Django's class for them."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from django.core.cache.backends.filebased import FileBasedCache as DjangosFileBasedCache
from django.core.exceptions import ImproperlyConfigured

from hotclub import _hotclub
from hotclub.django.options import file_options
from hotclub.django.persistent import PersistentVerbs


class FileVerbs(PersistentVerbs, _hotclub.Files, house=True):
    """The verbs over files."""

    __slots__ = ()
    _replaces = DjangosFileBasedCache
    _made_of: ClassVar[dict[str, tuple[str, ...]]] = {
        "get": ("get_many", "incr"),
        "set": ("set_many", "add", "incr"),
        "delete": ("delete_many",),
        "has_key": ("add",),
    }


class FileBasedCache(FileVerbs, DjangosFileBasedCache):
    """Files, in place of ``django.core.cache.backends.filebased.FileBasedCache``, side by side with it.

    ``LOCATION`` is the directory. OPTIONS: ``MAX_ENTRIES`` (300) and ``CULL_FREQUENCY`` (3) as Django has
    them; ``MAX_BYTES`` (a number or ``"64MiB"``); ``LEVEL`` of zlib from 0 to 9 (6); ``LOCK_LIMIT`` in
    seconds (2).
    """

    def __init__(self, dir: Any, params: dict[str, Any]) -> None:
        options = file_options(params)
        if not dir:
            raise ImproperlyConfigured(
                "hotclub: FileBasedCache needs a directory as its LOCATION, which is not given"
            )
        super().__init__(dir, params)
        try:
            path = os.path.abspath(dir)
            self._open_files(path, options.max_bytes, options.level, options.lock_limit)
        except ValueError as error:
            raise ImproperlyConfigured(f"hotclub: FileBasedCache at {dir!r}: {error}") from error
