"""The classes of others in whose place ours stand, without those of their surprises that ours repair."""

from __future__ import annotations

import ast
import pickle
import re
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends import db, filebased, memcached, redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, CacheKeyWarning
from django_redis import cache as django_redis
from redis.exceptions import ResponseError


class RepairedRedisCache(redis.RedisCache):
    """Django's."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        # Django hands them to redis-py, which knows no such arguments.
        for name in ("MAX_ENTRIES", "CULL_FREQUENCY"):
            self._options.pop(name, None)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Also True for an entry that has no deadline and is to have none."""
        found = super().touch(key, timeout, version)
        never = self.get_backend_timeout(timeout) is None
        return found or (never and self.has_key(key, version))

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        """No bare ``DEL`` for an iterator that is empty."""
        super().delete_many(list(keys), version)

    def set_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> list[Any]:
        """Nothing but what has items, empty or not; nothing for ever because its timeout was refused."""
        data.items()
        try:
            return super().set_many(data, timeout, version)
        except ResponseError:
            self.delete_many(data, version)
            raise


class RepairedPyMemcacheCache(memcached.PyMemcacheCache):
    """Django's."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        # Django hands them to pymemcache, which knows no such arguments.
        for name in ("MAX_ENTRIES", "CULL_FREQUENCY"):
            self._options.pop(name, None)

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int:
        """For ever, or over at once, where the server's 32 bits would make the opposite of it."""
        seconds = super().get_backend_timeout(timeout)
        if abs(seconds) < 2**31:
            return seconds
        return 0 if seconds > 0 else -1


@contextmanager
def _told_already() -> Iterator[None]:
    """Without the warnings about a key that was looked at before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheKeyWarning)
        yield


class RepairedFileBasedCache(filebased.FileBasedCache):
    """Django's, whose verbs look at a key once, since they are one step."""

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        self._key_to_file(key, version)
        with _told_already():
            return super().add(key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """False for an expired entry."""
        if not self.has_key(key, version):
            return False
        with _told_already():
            return super().touch(key, timeout, version)

    def incr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        """Keeps the deadline."""
        path = self._key_to_file(key, version)
        with _told_already():
            deadline = _deadline(path)
            total = super().incr(key, delta, version)
            self.touch(key, deadline and deadline - time.time(), version)
        return total


def _deadline(path: str) -> float | None:
    """When the entry in a file ends; None: never, or there is none."""
    try:
        with open(path, "rb") as file:
            return pickle.load(file)
    except FileNotFoundError:
        return None


class RepairedDatabaseCache(db.DatabaseCache):
    """Django's, whose verbs look at a key once, since they are one step."""

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        """For ever, where there is no such date."""
        end = super().get_backend_timeout(timeout)
        return None if end is not None and end > 1e11 else end

    def incr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        self.make_and_validate_key(key, version)
        with _told_already():
            return super().incr(key, delta, version)


@contextmanager
def _plainly_told() -> Iterator[None]:
    """``Key ':1:k' not found``, the key as text and not as a literal."""
    try:
        yield
    except ValueError as error:
        raise ValueError(
            _LITERAL.sub(lambda found: ast.literal_eval(found[0]), str(error))
        ) from error


_LITERAL = re.compile("""(?<=Key ')['"].*['"](?=' not found)""")


class RepairedDjangoRedisCache(django_redis.RedisCache):
    """django-redis'."""

    def incr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        with _plainly_told():
            super().incr(key, delta, version)
        # Its script answers through a double, which rounds above 2**53.
        return self.get(key, version=version)

    def decr(self, key: Any, delta: Any = 1, version: Any = None) -> Any:
        with _plainly_told():
            super().decr(key, delta, version)
        return self.get(key, version=version)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Names a missing key as Django does, a tuple by what is in it."""
        try:
            return super().incr_version(key, delta, version)
        except ValueError:
            raise ValueError("Key '%s' not found" % key) from None  # noqa: UP031

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Also True for an entry that has no deadline and is to have none."""
        found = super().touch(key, timeout, version)
        never = (self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout) is None
        return found or (never and self.has_key(key, version))

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        """No bare ``MGET`` for an iterator that is empty, nothing but what can be iterated over."""
        return super().get_many(list(keys), version)

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> int:
        return super().delete_many(list(keys), version)
