"""The caches that are compared, opened alike: one ``CACHES``, the same timeout, no other option.

Each has a database of its own, because their formats differ. redis-py alone is no Django backend: it
is given full keys and bytes and gives bytes back, so it neither composes keys nor pickles.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import redis
import redis.asyncio
from django.core.cache import caches
from django.utils.module_loading import import_string

from kit.contestants import (
    FLOOR,
    KEY,
    TCP,
    TIMEOUT,
    UNIX,
    Bare,
    Contestant,
    Floor,
    alias,
    configure,
    connected,
)
from kit.programs import HOST
from redis_bench.server import Server, Store

HOTCLUB = "hotclub RedisCache"
DJANGO = "Django RedisCache"
DJANGO_REDIS = "django-redis"
VALKEY = "django-valkey"
VCACHE = "django-vcache"
REDIS_PY = "redis-py raw"
#: As Django's ASGI handler runs requests: each has a thread of its own for what is not async.
DJANGO_THREADS = "Django RedisCache; a thread a task"
DJANGO_THREADS_WIDE = "Django RedisCache; a thread a task; pool of 1000"
VALKEY_ASYNC = "django-valkey AsyncValkeyCache"
REDIS_PY_ASYNC = "redis-py raw; asyncio"
REDIS_PY_ASYNC_WIDE = "redis-py raw; asyncio; pool of 1000"

DELAYED = "TCP + 1 ms"
_WIDE = {"max_connections": 1000}


@dataclass(frozen=True, slots=True)
class _Backend:
    path: str
    scheme: str = "redis"
    unix_scheme: str = "unix"
    options: dict[str, Any] = field(default_factory=dict)


_DJANGO_PATH = "django.core.cache.backends.redis.RedisCache"
_BACKENDS = {
    HOTCLUB: _Backend("hotclub.django.RedisCache"),
    DJANGO: _Backend(_DJANGO_PATH),
    DJANGO_REDIS: _Backend("django_redis.cache.RedisCache"),
    VALKEY: _Backend("django_valkey.cache.ValkeyCache", scheme="valkey"),
    VCACHE: _Backend("django_vcache.backend.ValkeyCache", unix_scheme="redis+unix"),
    DJANGO_THREADS: _Backend(_DJANGO_PATH),
    DJANGO_THREADS_WIDE: _Backend(_DJANGO_PATH, options=_WIDE),
    VALKEY_ASYNC: _Backend("django_valkey.async_cache.cache.AsyncValkeyCache", scheme="valkey"),
}
_RAW = (REDIS_PY, REDIS_PY_ASYNC, REDIS_PY_ASYNC_WIDE, FLOOR)
_DATABASES = {name: number for number, name in enumerate((*_BACKENDS, *_RAW))}

#: Who is in the blocking rows, and who in the async ones.
BLOCKING = (HOTCLUB, DJANGO, DJANGO_REDIS, VALKEY, VCACHE, REDIS_PY)
ASYNC = (
    HOTCLUB,
    DJANGO,
    DJANGO_THREADS,
    DJANGO_REDIS,
    VALKEY_ASYNC,
    VCACHE,
    REDIS_PY_ASYNC,
)
#: Beside them where there are more tasks than redis-py's pools allow connections by default.
ASYNC_WIDE = (DJANGO_THREADS_WIDE, REDIS_PY_ASYNC_WIDE)


class Raw:
    """Gives redis-py's client the verbs' names, bound once: its own methods are what is called."""

    def __init__(self, client: redis.Redis) -> None:
        self.get = client.get
        self.set = partial(client.set, ex=TIMEOUT)
        self.get_many = client.mget
        self.incr = client.incr
        pipeline = partial(client.pipeline, transaction=False)

        def set_many(data: dict[str, bytes]) -> None:
            commands = pipeline()
            for key, value in data.items():
                commands.set(key, value, ex=TIMEOUT)
            commands.execute()

        self.set_many = set_many


class RawAsync:
    """The same, as far as the async rows need it."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.aget = client.get
        self.aset = partial(client.set, ex=TIMEOUT)


@dataclass(frozen=True, slots=True)
class RawContestant(Contestant):
    """No Django backend: it is given full keys and bytes, and has a list where the others have a dict."""

    def key(self, key: str) -> str:
        return self.store.full_key(key)

    def value(self, value: Any) -> Any:
        if type(value) is int:
            return value
        return value.encode() if isinstance(value, str) else pickle.dumps(value)

    def found(self, keys: Iterable[str], got: Any) -> Any:
        return dict(zip(keys, got, strict=True))


def has_thread_a_task(name: str) -> bool:
    return name in (DJANGO_THREADS, DJANGO_THREADS_WIDE)


def is_one_thread(name: str) -> bool:
    """Of its async verbs: all of them wait for one thread."""
    return name in (DJANGO, DJANGO_REDIS)


class Arena:
    """Opens contestants on one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.absent = _configure(server)

    def open(self, names: Iterable[str], transport: str) -> list[Contestant]:
        """Their databases are emptied first; one that cannot be imported is left out."""
        here = [name for name in names if name not in self.absent]
        return [self._open(name, transport) for name in here]

    def _open(self, name: str, transport: str) -> Contestant:
        store = Store(self.server, _DATABASES[name])
        store.empty()
        if name == FLOOR:
            bare = Bare(_connected(self.server, transport), _get(store.full_key(KEY)), store.put)
            return Floor(name, bare, store, lambda value: b"$%d\r\n%b\r\n" % (len(value), value))
        if name in _RAW:
            return RawContestant(name, _raw(self.server, name, transport), store)
        return Contestant(name, caches[alias(name, transport)], store)

    @property
    def subject(self) -> str:
        """Whom the others are compared with."""
        return DJANGO if HOTCLUB in self.absent else HOTCLUB


def _configure(server: Server) -> dict[str, str]:
    """Tells Django of all caches; returns who cannot be imported, and why."""
    configure(
        {
            alias(name, transport): {
                "BACKEND": backend.path,
                "LOCATION": _location(server, name, transport),
                "OPTIONS": dict(backend.options),
            }
            for name, backend in _BACKENDS.items()
            for transport in (TCP, UNIX, DELAYED)
        }
    )
    absent = {}
    for name, backend in _BACKENDS.items():
        try:
            import_string(backend.path)
        except ImportError as error:
            absent[name] = str(error)
    return absent


def _port(server: Server, transport: str) -> int:
    return server.delayed_port if transport == DELAYED else server.port


def _location(server: Server, name: str, transport: str) -> str:
    backend, database = _BACKENDS[name], _DATABASES[name]
    if transport == UNIX:
        return f"{backend.unix_scheme}://{server.unix_socket}?db={database}"
    return f"{backend.scheme}://{HOST}:{_port(server, transport)}/{database}"


def _raw(server: Server, name: str, transport: str) -> Raw | RawAsync:
    where: dict[str, Any] = {"db": _DATABASES[name]}
    if transport == UNIX:
        where["unix_socket_path"] = str(server.unix_socket)
    else:
        where |= {"host": HOST, "port": _port(server, transport)}
    if name == REDIS_PY:
        return Raw(redis.Redis(**where))
    if name == REDIS_PY_ASYNC_WIDE:
        where |= _WIDE
    return RawAsync(redis.asyncio.Redis(**where))


def _get(key: str) -> bytes:
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key.encode())


def _connected(server: Server, transport: str) -> socket.socket:
    """With its own database chosen."""
    connection = connected(server.unix_socket if transport == UNIX else _port(server, transport))
    connection.sendall(b"SELECT %d\r\n" % _DATABASES[FLOOR])
    assert connection.recv(64) == b"+OK\r\n"
    return connection
