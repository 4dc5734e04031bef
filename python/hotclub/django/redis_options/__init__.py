"""LOCATION and the settings of a Redis cache, as one frozen object.

The settings of ``django.core.cache.backends.redis.RedisCache`` and of ``django_redis.cache.RedisCache`` are
read as those classes read them. In doubt, what stands in the URL wins over CONNECTION_POOL_KWARGS, and that
over the rest of OPTIONS, as redis-py has it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hotclub.django.redis_options.location import Place, places, wrong
from hotclub.django.redis_options.names import OF_DJANGO_REDIS, read_options
from hotclub.django.redis_options.readers import Reader, Text, factory, function, text, whole, yes
from hotclub.django.redis_options.topology import Tls, topology

CONNECT_LIMIT, REPLY_LIMIT, POOL_LIMIT = 2.0, 5.0, 5.0
POOL_SIZE = 64
BREAKER = 1.0


@dataclass(frozen=True, kw_only=True)
class RedisOptions:
    """Everything that the settings of one alias say. ``repr`` shows no secret."""

    #: "standalone", "replicas", "sentinel" or "cluster".
    topology: str
    #: Normalised URLs, without credentials: ``redis://host:port/db``, ``rediss://``, ``redis+unix:///path?db=1``;
    #: or one ``redis+sentinel://host:port,host:port/service/db`` or ``redis+cluster://host:port,host:port``
    #: (``rediss+...`` over TLS). The first of several takes the writes.
    servers: tuple[str, ...]
    #: ``host:port`` of each server, sentinel or node, or the path of a socket.
    addresses: tuple[str, ...]
    #: One a server, as ``servers``.
    usernames: tuple[str | None, ...] = field(repr=False)
    passwords: tuple[str | None, ...] = field(repr=False)
    #: The same on all servers.
    db: int = 0
    #: Asked for each new connection instead of the above; gives (user or None, password).
    credentials: Callable[[], tuple[str | None, str]] | None = field(default=None, repr=False)
    #: What the sentinels call the primary; ``addresses`` are the sentinels' own.
    service: str | None = None
    sentinel_username: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    sentinel_tls: bool = False
    #: None: plain sockets.
    tls: Tls | None = None
    #: "replicas", "primary" or "any".
    read_from: str = "primary"
    #: Seconds.
    connect_limit: float = CONNECT_LIMIT
    reply_limit: float = REPLY_LIMIT
    pool_limit: float = POOL_LIMIT
    pool_size: int = POOL_SIZE
    #: Seconds for which a dead server is not asked again; 0 turns the breaker off.
    breaker: float = BREAKER
    client_name: str | None = None
    #: 2 or 3.
    protocol: int = 2

    dialect: str = "django"
    #: The dialects that are read, in this order.
    read: tuple[str, ...] = ("django",)
    #: "flushdb" or "prefix".
    clear: str = "flushdb"
    #: "seconds" or "milliseconds".
    precision: str = "seconds"
    #: "raise" or "miss".
    on_decode_error: str = "raise"
    #: "raise" or "create".
    incr_missing: str = "raise"
    #: "default" or "keep".
    incr_version_ttl: str = "default"
    pickle_protocol: int = pickle.HIGHEST_PROTOCOL
    #: Django's: an object, a class or function that makes it, or a dotted path.
    serializer: Any = None
    #: django-redis': dotted paths.
    serializer_path: str | None = None
    compressor_path: str | None = None
    #: django-vcache's.
    compress_min_len: int = 1024
    #: The first signs, all verify; none: nothing is signed.
    signing_keys: tuple[bytes, ...] = field(default=(), repr=False)
    #: While a fleet changes over: values without a signature are read; they are still written, too.
    signing_read_unsigned: bool = False
    signing_write_unsigned: bool = False
    #: True, or what may be unpickled beside harmless classes.
    safe_pickle: bool | tuple[str, ...] = False

    ignore_exceptions: bool = False
    log_ignored_exceptions: bool = False
    logger: str = "hotclub.redis"
    #: How many keys the server looks at in one step of SCAN; more than django-redis' 10, which is slow.
    scan_itersize: int = 1000
    close_connection: bool = False
    reverse_key: Callable[[str], str] | None = None
    #: OPTIONS itself, for serializers and compressors that read their own names in it.
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def username(self) -> str | None:
        """Of the first server."""
        return self.usernames[0]

    @property
    def password(self) -> str | None:
        """Of the first server."""
        return self.passwords[0]

    def as_rust(self) -> dict[str, Any]:
        """What connections are made of, as plain values. ``credentials`` is not among them."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        tls = None if self.tls is None else asdict(self.tls)
        return plain | lists | {"username": self.username, "password": self.password, "tls": tls}


_LISTS = ("servers", "addresses", "usernames", "passwords")
#: Fields of RedisOptions that go to Rust as they are.
_PLAIN = (
    "topology",
    "db",
    "service",
    "sentinel_username",
    "sentinel_password",
    "sentinel_tls",
    "read_from",
    "connect_limit",
    "reply_limit",
    "pool_limit",
    "pool_size",
    "breaker",
    "client_name",
    "protocol",
)


def redis_options(location: Any, params: Mapping[str, Any]) -> RedisOptions:
    """Read the settings of one alias. ImproperlyConfigured says which one is wrong, and why."""
    given = params.get("OPTIONS") or {}
    if not isinstance(given, Mapping):
        raise wrong(f"needs a dict as OPTIONS, not {type(given).__name__}")
    found = read_options(given, "OPTIONS['{}']")
    dialect = found.get("dialect") or _dialect(given)
    where = places(location, "," if dialect == "django-redis" else ";,")
    pool = read_options(found.get("pool_kwargs", {}), "OPTIONS['CONNECTION_POOL_KWARGS']['{}']")
    found = found | pool | _query(where)
    found = _project_settings(dialect) | found
    if reverse := params.get("REVERSE_KEY_FUNCTION"):
        found.setdefault("reverse_key", _read(function, reverse, "REVERSE_KEY_FUNCTION"))
    found |= _meaning(dialect, found) | topology(found, where)
    # Who wants quick answers does not want to wait longer for a connection.
    found.setdefault("connect_limit", min(CONNECT_LIMIT, found.get("reply_limit", CONNECT_LIMIT)))
    _check(found, params)
    kept = {name: found[name] for name in RedisOptions.__dataclass_fields__ if name in found}
    return RedisOptions(**kept, given=dict(given))


def _dialect(given: Mapping[str, Any]) -> str:
    return "django-redis" if any(name in given for name in OF_DJANGO_REDIS) else "django"


def _query(where: list[Place]) -> dict[str, Any]:
    """Options in the URLs, which are those of the alias: several servers must agree."""
    query: dict[str, str] = {}
    for place in where:
        for name, value in place.query.items():
            if query.setdefault(name, value) != value:
                raise wrong(f"cannot read LOCATION: its URLs disagree about {name!r}")
    return read_options({name: Text(value) for name, value in query.items()}, "'{}' in LOCATION")


def _meaning(dialect: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What a dialect means where nothing else was asked for."""
    redis, vcache = dialect == "django-redis", dialect == "vcache"
    protocol = pickle.HIGHEST_PROTOCOL if dialect == "django" else pickle.DEFAULT_PROTOCOL
    means = {
        "dialect": dialect,
        "read": (dialect,),
        "precision": "milliseconds" if redis else "seconds",
        "on_decode_error": "miss" if vcache else "raise",
        "incr_missing": "create" if vcache else "raise",
        "incr_version_ttl": "keep" if redis else "default",
        "pickle_protocol": found.get("pickle_version", protocol),
    }
    return {name: found.get(name, value) for name, value in means.items()}


def _project_settings(dialect: str) -> dict[str, Any]:
    """The DJANGO_REDIS_* settings of the project; only that dialect has them."""
    readers: dict[str, tuple[str, Reader]] = {
        "DJANGO_REDIS_IGNORE_EXCEPTIONS": ("ignore_exceptions", yes),
        "DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS": ("log_ignored_exceptions", yes),
        "DJANGO_REDIS_LOGGER": ("logger", text),
        "DJANGO_REDIS_SCAN_ITERSIZE": ("scan_itersize", whole(1)),
        "DJANGO_REDIS_CLOSE_CONNECTION": ("close_connection", yes),
        "DJANGO_REDIS_CONNECTION_FACTORY": ("factory", factory),
    }
    found: dict[str, Any] = {}
    for setting, (name, reader) in readers.items():
        value = getattr(settings, setting, None)
        if dialect == "django-redis" and value is not None:
            read = _read(reader, value, f"the setting {setting}")
            if read is not None:
                found[name] = read
    return found


def _read(reader: Reader, value: Any, name: str) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"hotclub: RedisCache: {name} must be {error}") from None


def _check(found: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """What is right alone and wrong together."""
    if found["dialect"] not in found["read"]:
        raise wrong(f"writes {found['dialect']!r}, which OPTIONS['READ'] must hold too")
    if found.get("clear") == "prefix" and params.get("KEY_FUNCTION"):
        raise wrong(
            "cannot tell its own keys by their prefix: CLEAR = 'prefix' and KEY_FUNCTION exclude each other"
        )
    for name in ("signing_read_unsigned", "signing_write_unsigned"):
        if found.get(name) and "signing_keys" not in found:
            raise wrong(f"has {name.upper()} and no SIGNING_KEYS")
    if found.get("signing_write_unsigned") and not found.get("signing_read_unsigned"):
        raise wrong(
            "has SIGNING_WRITE_UNSIGNED, and cannot read that without SIGNING_READ_UNSIGNED"
        )
    codecs = [name for name in ("serializer_path", "compressor_path") if name in found]
    if "serializer" in found and found["dialect"] != "django":
        raise wrong("has Django's option serializer in another dialect, which calls it SERIALIZER")
    if codecs and found["read"] == ("django",):
        raise wrong("has SERIALIZER or COMPRESSOR, which dialect 'django' neither writes nor reads")
