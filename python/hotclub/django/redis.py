"""Redis and Valkey, in place of Django's own class and of django-redis'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import ImproperlyConfigured

from hotclub.django.codecs import make_codec
from hotclub.django.redis_extras import RedisExtras
from hotclub.django.redis_extras.base import CacheKey, literal
from hotclub.django.redis_options import redis_options
from hotclub.django.remote import RemoteVerbs
from hotclub.errors import SERVER_ERRORS, NotAnIntegerError


class RedisCache(RemoteVerbs, RedisExtras, BaseCache, house=True):
    """In place of ``django.core.cache.backends.redis.RedisCache`` and ``django_redis.cache.RedisCache``.

    ``LOCATION`` and ``OPTIONS`` are read as those classes read them. ``DIALECT`` says whose bytes, units of
    time and return values the alias has; unset, the names in OPTIONS tell.
    """

    _house_methods: ClassVar[dict[str, Any]]

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = redis_options(server, params)
        codec = make_codec(options)
        self._options = options
        self._dialect = options.dialect
        made = options.as_rust() | {
            "dialect": options.dialect,
            "milliseconds": options.precision == "milliseconds",
            "undecodable_is_miss": options.on_decode_error == "miss",
            "incr_creates": options.incr_missing == "create",
            "ignore_errors": options.ignore_exceptions,
            "log_ignored": options.logger if options.log_ignored_exceptions else None,
            "pickle_protocol": options.pickle_protocol,
            "credentials": options.credentials,
            "codec": codec,
            "given": options.given,
        }
        # Objects are told apart by what they are, not by how they show themselves: a secret is not shown.
        given = {**options.given, "serializer": options.serializer}
        name = repr(
            {
                **made,
                "codec": None,
                "credentials": None,
                "given": _identity(given),
                "read": options.read,
            }
        )
        try:
            self._open_redis(name, made)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"hotclub: RedisCache at {', '.join(options.servers)}: {error}"
            ) from error

    def validate_key(self, key: Any) -> None:
        """Warn as Django's class does; django-redis and django-vcache check no keys."""
        if self._dialect == "django":
            BaseCache.validate_key(self, key)

    def incr(
        self,
        key: Any,
        delta: Any = 1,
        version: Any = None,
        client: Any = None,
        ignore_key_check: bool = False,
    ) -> Any:
        """Add ``delta`` to the whole number and return the sum; ValueError if there is none.

        Atomic; keeps the deadline. In the dialect of django-redis also fractions and numbers beyond 64 bits,
        which the server cannot count: those are read and written back, not atomically, as there.
        """
        try:
            return super().incr(key, delta, version, ignore_key_check)
        except NotAnIntegerError:
            if self._dialect != "django-redis":
                raise
        return self._incr_by_hand(key, delta, version)

    async def aincr(
        self,
        key: Any,
        delta: Any = 1,
        version: Any = None,
        client: Any = None,
        ignore_key_check: bool = False,
    ) -> Any:
        """See ``incr``."""
        try:
            return await self._aincr(key, delta, version, ignore_key_check)
        except NotAnIntegerError:
            if self._dialect != "django-redis":
                raise
        return await self._aincr_by_hand(key, delta, version)

    def incr_version(
        self, key: Any, delta: int = 1, version: Any = None, client: Any = None
    ) -> Any:
        """Move an entry to another version; the new version.

        For the default timeout, as Django has it, or (django-redis, ``INCR_VERSION_TTL = "keep"``) for the
        time it has left.
        """
        version = self.version if version is None else version
        value = self.get(key, self._missing_key, version)
        if self._cannot_move(value):
            if self._options.ignore_exceptions and self._is_ignored_now():
                return None
            raise ValueError(_not_found(key))
        left: Any = DEFAULT_TIMEOUT
        if self._options.incr_version_ttl == "keep":
            left = _seconds(self.pttl(key, version=version))
        self.set(key, value, left, version + delta)
        self.delete(key, version)
        return version + delta

    async def aincr_version(
        self, key: Any, delta: int = 1, version: Any = None, client: Any = None
    ) -> Any:
        """See ``incr_version``."""
        version = self.version if version is None else version
        value = await self.aget(key, self._missing_key, version)
        if self._cannot_move(value):
            if self._options.ignore_exceptions and await self._is_ignored_now_async():
                return None
            raise ValueError(_not_found(key))
        left: Any = DEFAULT_TIMEOUT
        if self._options.incr_version_ttl == "keep":
            left = _seconds(await self.apttl(key, version=version))
        await self.aset(key, value, left, version + delta)
        await self.adelete(key, version)
        return version + delta

    def _cannot_move(self, value: Any) -> bool:
        return value is self._missing_key or (value is None and self._dialect == "django-redis")

    # With IGNORE_EXCEPTIONS a server that is down looks like a key that is missing: ask which it is.
    def _is_ignored_now(self) -> bool:
        try:
            self._execute(("PING",), write=False, key_at=-1)
        except SERVER_ERRORS:
            return True
        return False

    async def _is_ignored_now_async(self) -> bool:
        try:
            await self._aexecute(("PING",), write=False, key_at=-1)
        except SERVER_ERRORS:
            return True
        return False

    @property
    def _cache(self) -> _Cache:
        return _Cache(self)

    def clear(self) -> Any:
        """Remove **every** entry of the database, or with ``CLEAR = "prefix"`` those of this prefix."""
        if self._options.clear == "prefix":
            self.delete_pattern(self._whole_prefix())
            return True if self._dialect == "django" else None
        return self._flush()

    def _whole_prefix(self) -> CacheKey:
        return CacheKey(f"{literal(self.key_prefix)}:*")

    async def aclear(self) -> Any:
        """See ``clear``."""
        if self._options.clear == "prefix":
            await self.adelete_pattern(self._whole_prefix())
            return True if self._dialect == "django" else None
        return await self._aflush()


class _Cache:
    """The private name under which Django's own class has its client, for code that looks there."""

    def __init__(self, cache: RedisCache) -> None:
        self._serializer = _Serializer(cache)


class _Serializer:
    def __init__(self, cache: RedisCache) -> None:
        self._cache = cache

    def dumps(self, value: Any) -> Any:
        """Whole numbers as they are, everything else as bytes."""
        return value if type(value) is int else self._cache._dumps(value)

    def loads(self, data: Any) -> Any:
        """What ``dumps`` wrote."""
        return data if type(data) is int else self._cache._loads(data)


def _not_found(key: Any) -> str:
    return "Key '%s' not found" % key  # noqa: UP031 (Django's own text, for tuples too)


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / 1000


def _identity(value: Any) -> Any:
    """What tells two settings apart. The wire that is named by it keeps the objects alive."""
    if value is None or isinstance(value, (str, bytes, int, float)):
        return value
    if isinstance(value, Mapping):
        return sorted((str(name), repr(_identity(part))) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return [_identity(part) for part in value]
    return f"{type(value).__qualname__} at {id(value)}"


# What Rust takes the place of, so that only a subclass that overrides these pays for a call of Python.
RedisCache._house_methods = {
    "validate_key": RedisCache.validate_key,
    "get_backend_timeout": RedisCache.get_backend_timeout,
}
