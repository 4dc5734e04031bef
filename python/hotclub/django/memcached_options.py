"""LOCATION and OPTIONS of the Memcached classes, as data: ours, pymemcache's and pylibmc's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ImproperlyConfigured

DISTRIBUTIONS = ("pymemcache", "modula", "ketama", "ketama_weighted")


@dataclass(frozen=True)
class MemcachedOptions:
    """What an alias asks for. Times are in seconds."""

    servers: tuple[str, ...]
    #: Whose flags are written: ``pymemcache`` or ``pylibmc``.
    writer: str
    distribution: str
    #: A node that cannot be reached is an error for reads too.
    raise_absent: bool = False
    username: str | None = None
    password: str | None = None
    connect_limit: float = 2.0
    reply_limit: float = 5.0
    pool_size: int = 64
    pool_limit: float = 5.0
    rest: float = 1.0

    def as_rust(self) -> dict[str, Any]:
        """The same as the extension module takes it."""
        login = None
        if self.username is not None and self.password is not None:
            login = (self.username, self.password)
        return {
            "servers": list(self.servers),
            "writer": self.writer,
            "distribution": self.distribution,
            "raise_absent": self.raise_absent,
            "login": login,
            "connect_limit": self.connect_limit,
            "reply_limit": self.reply_limit,
            "pool_size": self.pool_size,
            "pool_limit": self.pool_limit,
            "rest": self.rest,
        }


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}")
    return float(value)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a str, not a {type(value).__name__}")
    return value


def _distribution(name: str, value: Any) -> str:
    if value not in DISTRIBUTIONS:
        raise ValueError(f"{name} must be one of {', '.join(DISTRIBUTIONS)}, not {value!r}")
    return str(value)


def _absent(name: str, value: Any) -> bool:
    if value not in ("miss", "raise"):
        raise ValueError(f"{name} must be 'miss' or 'raise', not {value!r}")
    return bool(value == "raise")


#: Ours: the field, and what reads the value.
OURS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "DISTRIBUTION": ("distribution", _distribution),
    "ABSENT_NODES": ("raise_absent", _absent),
    "USERNAME": ("username", _text),
    "PASSWORD": ("password", _text),
    "CONNECT_LIMIT": ("connect_limit", _seconds),
    "REPLY_LIMIT": ("reply_limit", _seconds),
    "POOL_SIZE": ("pool_size", _count),
    "POOL_LIMIT": ("pool_limit", _seconds),
    "BREAKER": ("rest", _seconds),
}
#: Read by Django's base class.
DJANGOS = ("MAX_ENTRIES", "CULL_FREQUENCY")

NEVER_MOVES = (
    "keys of a node that cannot be reached do not move to others, where old values would be found again; "
    "ABSENT_NODES says what they do instead"
)
NOT_A_CLIENT = "there is no such object here: hotclub has its own client"
SASL = (
    "SASL belongs to the binary protocol, which memcached gives up; a server that was started with -Y takes "
    "USERNAME and PASSWORD"
)

#: pymemcache's: the field they mean, nothing if they mean nothing here, or why they are refused.
PYMEMCACHE: dict[str, tuple[str, Callable[[str, Any], Any]] | str | None] = {
    "connect_timeout": ("connect_limit", _seconds),
    "timeout": ("reply_limit", _seconds),
    "max_pool_size": ("pool_size", _count),
    "retry_timeout": ("rest", _seconds),
    "no_delay": None,
    "use_pooling": None,
    "pool_idle_timeout": None,
    "lock_generator": None,
    "socket_keepalive": None,
    "allow_unicode_keys": None,
    "encoding": None,
    "ignore_exc": None,
    "default_noreply": None,
    "retry_attempts": NEVER_MOVES,
    "dead_timeout": NEVER_MOVES,
    "hasher": "DISTRIBUTION names the rules that there are",
    "serde": "values are written as pymemcache's own serde writes them",
    "serializer": "values are written as pymemcache's own serde writes them",
    "deserializer": "values are read as pymemcache's own serde reads them",
    "key_prefix": "KEY_PREFIX of the alias does that",
    "socket_module": NOT_A_CLIENT,
    "tls_context": "an SSLContext cannot be read by another TLS library",
    "client_class": NOT_A_CLIENT,
}
#: pylibmc's behaviors. Times are in milliseconds, those of sockets in microseconds.
BEHAVIORS: dict[str, tuple[str, float] | str | None] = {
    "connect_timeout": ("connect_limit", 1e-3),
    "receive_timeout": ("reply_limit", 1e-6),
    "send_timeout": None,
    "retry_timeout": ("rest", 1.0),
    "tcp_nodelay": None,
    "tcp_keepalive": None,
    "no_block": None,
    "cas": None,
    "buffer_requests": None,
    "verify_keys": None,
    "pickle_protocol": None,
    "remove_failed": NEVER_MOVES,
    "failure_limit": NEVER_MOVES,
    "auto_eject": NEVER_MOVES,
    "dead_timeout": NEVER_MOVES,
    "num_replicas": "replicas are not written here",
    "hash": "DISTRIBUTION names the rules that there are",
    "ketama_hash": "DISTRIBUTION names the rules that there are",
}


def memcached_options(
    location: Any, params: Mapping[str, Any], library: str, name: str
) -> MemcachedOptions:
    """Read LOCATION and OPTIONS; ``ImproperlyConfigured`` names class, option and reason."""
    try:
        distribution = "modula" if library == "pylibmc" else "pymemcache"
        options = MemcachedOptions(_servers(location), library, distribution)
        given = params.get("OPTIONS") or {}
        if not isinstance(given, Mapping):
            raise ValueError(f"OPTIONS must be a dict, not a {type(given).__name__}")
        for option, value in given.items():
            options = _read(options, str(option), value, library)
        if (options.username is None) != (options.password is None):
            raise ValueError("USERNAME and PASSWORD belong together")
    except ValueError as error:
        raise ImproperlyConfigured(f"hotclub: {name} at {location!r}: {error}") from error
    return options


def _servers(location: Any) -> tuple[str, ...]:
    parts = re.split("[;,]", location) if isinstance(location, str) else list(location or ())
    servers = [str(part).strip().removeprefix("unix:") for part in parts]
    servers = [server for server in servers if server]
    if not servers:
        raise ValueError("LOCATION names no node: 'host:port', or several of them")
    return tuple(servers)


def _read(options: MemcachedOptions, option: str, value: Any, library: str) -> MemcachedOptions:
    if option in DJANGOS:
        return options
    if option in OURS:
        field, read = OURS[option]
        return replace(options, **{field: read(option, value)})
    if option in ("username", "password", "binary"):
        if not value:
            return options
        raise ValueError(f"{option} is refused: {SASL}")
    if library == "pylibmc":
        return _read_pylibmc(options, option, value)
    if option not in PYMEMCACHE:
        known = ", ".join(sorted([*OURS, *PYMEMCACHE]))
        raise ValueError(f"unknown option {option!r}; known are {known}")
    meaning = PYMEMCACHE[option]
    if isinstance(meaning, str):
        raise ValueError(f"{option} is refused: {meaning}")
    if meaning is None or value is None:
        return options
    field, read = meaning
    return replace(options, **{field: read(option, value)})


def _read_pylibmc(options: MemcachedOptions, option: str, value: Any) -> MemcachedOptions:
    if option != "behaviors":
        known = ", ".join(sorted([*OURS, "behaviors"]))
        raise ValueError(f"unknown option {option!r}; known are {known}")
    if not isinstance(value, Mapping):
        raise ValueError(f"behaviors must be a dict, not {value!r}")
    for behavior, setting in value.items():
        options = _read_behavior(options, str(behavior).lstrip("_"), setting)
    return options


def _read_behavior(options: MemcachedOptions, behavior: str, setting: Any) -> MemcachedOptions:
    if behavior in ("ketama", "ketama_weighted"):
        return replace(options, distribution=behavior) if setting else options
    if behavior == "distribution":
        rules = {"modula": "modula", "consistent": "ketama", "consistent ketama": "ketama"}
        if setting not in rules:
            raise ValueError(f"the distribution {setting!r} is not known here: see DISTRIBUTION")
        return replace(options, distribution=rules[setting])
    if behavior not in BEHAVIORS:
        known = ", ".join(sorted([*BEHAVIORS, "ketama", "ketama_weighted", "distribution"]))
        raise ValueError(f"unknown behavior {behavior!r}; known are {known}")
    meaning = BEHAVIORS[behavior]
    if isinstance(meaning, str):
        raise ValueError(f"the behavior {behavior} is refused: {meaning}")
    if meaning is None or not setting:
        return options
    field, unit = meaning
    seconds: Any = _seconds(behavior, setting) * unit
    return replace(options, **{field: seconds})
