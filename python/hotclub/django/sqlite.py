"""The embedded store: one SQLite file of its own, no server, not tied to Django's databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured

from hotclub import _hotclub
from hotclub.django.options import sqlite_options
from hotclub.django.persistent import PersistentVerbs


class SQLiteVerbs(PersistentVerbs, _hotclub.Sqlite, house=True):
    """The verbs over the embedded store, and its upkeep for event loops."""

    __slots__ = ()
    _made_of: ClassVar[dict[str, tuple[str, ...]]] = {
        "get": ("get_many", "has_key", "incr"),
        "set": ("set_many", "incr"),
        "delete": ("delete_many",),
    }

    async def aexpire(self) -> int:
        """See ``expire``."""
        return await self._aexpire()

    async def acheck(self) -> list[str]:
        """See ``check``."""
        return await self._acheck()

    async def arepair(self) -> list[str]:
        """See ``repair``."""
        return await self._arepair()

    async def acompact(self) -> None:
        """See ``compact``."""
        await self._acompact()


class SQLiteCache(SQLiteVerbs, BaseCache):
    """Entries in one SQLite file that the processes of a machine share and that survives them.

    ``LOCATION`` is the file; it must not be one of ``DATABASES``. OPTIONS: ``MAX_BYTES`` of keys and values
    (``"1GiB"``); ``EVICTION``: ``"use"`` (the default: least recently used go first), ``"age"`` or
    ``"never"``; ``SYNCHRONOUS``: ``"off"``, ``"normal"`` (the default) or ``"full"``; ``LOCK_LIMIT`` in
    seconds (5); ``MAX_ENTRIES`` (no limit) and ``CULL_FREQUENCY`` (3).
    """

    def __init__(self, path: Any, params: dict[str, Any]) -> None:
        options = sqlite_options(params)
        super().__init__(params)
        if not options.max_entries_given:
            self._max_entries = None
        path = file_of(path)
        try:
            self._open_sqlite(
                path, options.max_bytes, options.eviction, options.synchronous, options.lock_limit
            )
        except ValueError as error:
            raise ImproperlyConfigured(f"hotclub: SQLiteCache at {path!r}: {error}") from error


def file_of(location: Any) -> str:
    """The absolute path that a LOCATION says; ImproperlyConfigured if it is none, or Django's."""
    try:
        path = os.fsdecode(location)
    except (TypeError, UnicodeError):
        path = ""
    if not path or "\0" in path:
        raise ImproperlyConfigured(
            f"hotclub: SQLiteCache needs a file as its LOCATION, not {location!r}"
        )
    if path == ":memory:":
        raise ImproperlyConfigured(
            "hotclub: SQLiteCache needs a file as its LOCATION; entries in memory are kept by LocMemCache"
        )
    if path.startswith("file:") or "://" in path:
        raise ImproperlyConfigured(
            f"hotclub: SQLiteCache needs a path as its LOCATION, and {path!r} is a URL"
        )
    if path.startswith("~"):
        raise ImproperlyConfigured(
            f"hotclub: SQLiteCache needs a path as its LOCATION: nobody makes a home of the ~ in {path!r}"
        )
    path = os.path.abspath(path)
    for alias, name in databases():
        if is_same(path, name):
            raise ImproperlyConfigured(
                f"hotclub: SQLiteCache at {path!r}: that is the file of DATABASES[{alias!r}]. Two copies of "
                "SQLite in one process break each other's locks: name another file, or use DatabaseCache"
            )
    return path


def databases() -> Iterator[tuple[str, str]]:
    """Find the files of Django's databases, also those that tests use."""
    if not settings.configured:
        return
    for alias, database in settings.DATABASES.items():
        # Of a server, NAME is no file. GeoDjango's engine is "spatialite".
        if "lite" not in str(database.get("ENGINE")):
            continue
        for name in (database.get("NAME"), (database.get("TEST") or {}).get("NAME")):
            if name and isinstance(name, (str, os.PathLike)):
                yield alias, path_in(os.fspath(name))


def path_in(name: str) -> str:
    """The path in what SQLite takes for a URL: ``file:/srv/site.db?mode=rwc``."""
    return unquote(urlsplit(name).path) if name.startswith("file:") else name


def is_same(path: str, other: str) -> bool:
    """Whether both name one file, which need not be there."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return os.path.realpath(path) == os.path.realpath(other)
