"""One entry of ``CACHES`` as the system checks look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hotclub.django import backends
from hotclub.django.database import DatabaseCache
from hotclub.django.files import FileBasedCache
from hotclub.django.memcached import MemcachedCache
from hotclub.django.options import (
    DATABASE_OPTIONS,
    FILE_OPTIONS,
    MEMORY_OPTIONS,
    SQLITE_OPTIONS,
    database_options,
    file_options,
    memory_options,
    sqlite_options,
)
from hotclub.django.redis import RedisCache
from hotclub.django.redis_options import RedisOptions, redis_options
from hotclub.django.redis_options.names import ACCEPTED, IGNORED, REFUSED
from hotclub.django.sqlite import SQLiteCache

KNOWN_OF_REDIS = ACCEPTED.keys() | IGNORED.keys() | REFUSED.keys()


@dataclass(frozen=True)
class Known:
    """The options of a class: what they must be, who reads them, and whether others are refused."""

    options: Mapping[str, str]
    read: Callable[[dict[str, Any]], object]
    refuses: bool


#: One that is not here takes anything.
OPTIONS_OF: dict[type, Known] = {
    backends.LocMemCache: Known(MEMORY_OPTIONS, memory_options, refuses=False),
    FileBasedCache: Known(FILE_OPTIONS, file_options, refuses=True),
    SQLiteCache: Known(SQLITE_OPTIONS, sqlite_options, refuses=True),
    DatabaseCache: Known(DATABASE_OPTIONS, database_options, refuses=True),
}
NOTHING_KNOWN = Known({}, dict, refuses=False)


@dataclass(frozen=True)
class Alias:
    """One entry of ``CACHES`` under a class of ours."""

    name: str
    backend: type
    params: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def of_its_class(self) -> Known:
        """What is known of the options of its class."""
        for backend, known in OPTIONS_OF.items():
            if issubclass(self.backend, backend):
                return known
        return NOTHING_KNOWN

    @property
    def known(self) -> Mapping[str, str]:
        """The options that its class has."""
        return self.of_its_class.options

    @property
    def is_table(self) -> bool:
        """Whether its entries are in a database."""
        return issubclass(self.backend, DatabaseCache)

    @property
    def is_files(self) -> bool:
        """Whether its entries are in a directory."""
        return issubclass(self.backend, FileBasedCache)

    @property
    def is_sqlite(self) -> bool:
        """Whether its entries are in a file of its own."""
        return issubclass(self.backend, SQLiteCache)

    @property
    def is_redis(self) -> bool:
        """Whether its entries are in Redis or Valkey."""
        return issubclass(self.backend, RedisCache)

    @property
    def is_memcached(self) -> bool:
        """Whether its entries are in memcached."""
        return issubclass(self.backend, MemcachedCache)

    @property
    def is_elsewhere(self) -> bool:
        """Whether a server decides what it drops."""
        return self.is_redis or self.is_memcached

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"CACHES[{self.name!r}]"

    def option(self, name: str) -> str:
        """How messages name an option."""
        return f"{self.place}['OPTIONS'][{name!r}]"


def redis_options_of(alias: Alias) -> RedisOptions:
    """As the class will read them; ImproperlyConfigured if it would refuse them."""
    options = alias.options
    if alias.backend is not RedisCache:
        options = {name: value for name, value in options.items() if name in KNOWN_OF_REDIS}
    return redis_options(alias.params.get("LOCATION", ""), {**alias.params, "OPTIONS": options})
