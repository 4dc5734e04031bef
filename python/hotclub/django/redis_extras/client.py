"""``cache.client`` and ``get_redis_connection``, for code written for django-redis."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.core.cache import caches

from hotclub.django import compressors, serializers
from hotclub.django.codecs import DjangoRedis
from hotclub.django.compressors import needed
from hotclub.django.redis_extras.base import CacheKey, Extra
from hotclub.django.redis_options import RedisOptions

if TYPE_CHECKING:
    from hotclub.django.redis_extras import RedisExtras


class Client:
    """The cache under the names that django-redis' clients have; every verb is the cache's own."""

    def __init__(self, backend: RedisExtras) -> None:
        self._backend = backend
        self._options = backend._options.given
        codec = backend._codec_of_members
        if not isinstance(codec, DjangoRedis):
            pickle = serializers.PickleSerializer(self._options)
            codec = DjangoRedis(pickle, compressors.IdentityCompressor({}))
        self._serializer, self._compressor = codec.serializer, codec.compressor

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._backend, name)

    def __contains__(self, key: Any) -> bool:
        return key in self._backend  # type: ignore[operator]

    def get_client(self, write: bool = True, tried: Any = None) -> Any:
        """A client of redis-py for the same server: see ``get_redis_connection``."""
        return connection(self._backend._options, write)

    def make_key(self, key: Any, version: Any = None, prefix: str | None = None) -> CacheKey:
        """The full key, which the verbs then take as it is."""
        if isinstance(key, CacheKey):
            return key
        if prefix is None:
            return CacheKey(self._backend.make_key(key, version))
        version = self._backend.version if version is None else version
        return CacheKey(self._backend.key_func(key, prefix, version))

    def make_pattern(
        self, pattern: Any, version: Any = None, prefix: str | None = None
    ) -> CacheKey:
        """The pattern of full keys, which the verbs then take as it is."""
        return CacheKey(self._backend._pattern(pattern, version, prefix))

    def reverse_key(self, key: str) -> str:
        """What the caller typed to get a full key."""
        return self._backend._typed(key.encode())

    def encode(self, value: Any, *, allow_int: bool = True) -> bytes:
        """The bytes of a value."""
        return self._backend._dumps(value) if allow_int else self._backend._dumps_member(value)

    def decode(self, value: bytes) -> Any:
        """The value of bytes."""
        return self._backend._loads(value)

    def _has_compression_enabled(self) -> bool:
        return self._backend._compresses


#: By what they were made of; redis-py's pools are safe to share, across forks too.
_connections: dict[tuple[Any, ...], Any] = {}


def get_redis_connection(alias: str = "default", write: bool = True) -> Any:
    """A client of redis-py made from the settings of an alias; ``write=False`` may be one for a replica.

    Its connections are its own: IGNORE_EXCEPTIONS, the limits of the pool and the breaker do not apply.
    NotImplementedError if the alias is not a Redis cache of hotclub.
    """
    cache = caches[alias]
    if not isinstance(cache, Extra):
        raise NotImplementedError(f"the cache {alias!r} has no connection to Redis")
    return connection(cache._options, write)


def connection(options: RedisOptions, write: bool = True) -> Any:
    """A client of redis-py for these options. Made once a server."""
    index = 0
    if not write and options.read_from != "primary" and len(options.servers) > 1:
        index = random.randrange(options.read_from == "replicas", len(options.servers))
    replica = options.topology == "sentinel" and not write and options.read_from != "primary"
    made_of = (
        options.servers[index],
        options.usernames[index % len(options.usernames)],
        options.passwords[index % len(options.passwords)],
        options.credentials,
        options.tls,
        options.protocol,
        options.client_name,
        replica,
    )
    if made_of not in _connections:
        _connections[made_of] = _connect(options, index, replica)
    return _connections[made_of]


def _connect(options: RedisOptions, index: int, replica: bool) -> Any:
    redis = needed("a raw client", "pip install redis", "redis")
    given: dict[str, Any] = {
        "socket_connect_timeout": options.connect_limit,
        "socket_timeout": options.reply_limit,
        "client_name": options.client_name,
        "protocol": options.protocol,
        **_login(options, index),
        **_tls(options),
    }
    if options.topology == "cluster":
        nodes = [redis.cluster.ClusterNode(*_split(address)) for address in options.addresses]
        return redis.RedisCluster(startup_nodes=nodes, ssl=options.tls is not None, **given)
    if options.topology == "sentinel":
        return _watched(options, given, replica)
    url = options.servers[index].replace("redis+unix://", "unix://")
    return redis.Redis.from_url(url, **given)


def _watched(options: RedisOptions, given: dict[str, Any], replica: bool) -> Any:
    asked = {
        "socket_connect_timeout": options.connect_limit,
        "socket_timeout": options.reply_limit,
        "username": options.sentinel_username,
        "password": options.sentinel_password,
        "ssl": options.sentinel_tls,
    }
    hosts = [_split(address) for address in options.addresses]
    found = import_module("redis.sentinel").Sentinel(
        hosts, sentinel_kwargs=asked, ssl=options.tls is not None, db=options.db, **given
    )
    return found.slave_for(options.service) if replica else found.master_for(options.service)


def _login(options: RedisOptions, index: int) -> dict[str, Any]:
    if options.credentials is None:
        return {"username": options.usernames[index], "password": options.passwords[index]}
    base: type = import_module("redis.credentials").CredentialProvider
    ask = options.credentials
    provider = type("Credentials", (base,), {"get_credentials": lambda _: _login_of(ask)})
    return {"credential_provider": provider()}


def _login_of(ask: Callable[[], tuple[str | None, str]]) -> tuple[str, ...]:
    return tuple(part for part in ask() if part is not None)


def _tls(options: RedisOptions) -> dict[str, Any]:
    tls = options.tls
    if tls is None:
        return {}
    return {
        "ssl_ca_certs": tls.ca,
        "ssl_certfile": tls.certificate,
        "ssl_keyfile": tls.key or tls.certificate,
        "ssl_cert_reqs": "none" if tls.verify == "nothing" else "required",
        "ssl_check_hostname": tls.verify == "full",
    }


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
