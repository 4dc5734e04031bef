"""LOCATION and OPTIONS of the Memcached classes, as data: ours, pymemcache's and pylibmc's."""

from __future__ import annotations

import os
import pickle
import re
import zlib
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
    #: What becomes of verbs whose node cannot be reached: ``miss``, ``raise``, ``silent``, ``ignore``.
    absent: str | None = None
    #: pymemcache's timers, if they are wanted: trials after the first failure, seconds out of the ring.
    retry_attempts: int | None = None
    dead_timeout: float | None = None
    #: Values of more bytes are compressed, if that makes them smaller; 0: none are.
    compress_min_length: int = 0
    tls: bool = False
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_verify: str = "full"
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
        timers = self.retry_attempts is not None or self.dead_timeout is not None
        leave = None
        if timers:
            attempts = 2 if self.retry_attempts is None else self.retry_attempts
            leave = (attempts, 60.0 if self.dead_timeout is None else self.dead_timeout)
        tls = None
        if self.tls:
            tls = (self.tls_ca, self.tls_certificate, self.tls_key, self.tls_verify)
        return {
            "servers": list(self.servers),
            "writer": self.writer,
            "distribution": self.distribution,
            "absent": self.absent or ("silent" if timers else "miss"),
            "leave": leave,
            "compress_min_length": self.compress_min_length,
            "tls": tls,
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


def _one_of(*words: str) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if value not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, not {value!r}")
        return str(value)

    return read


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or above, not {value!r}")
    return value


def _yes(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")
    return value


def _path(name: str, value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"{name} must be the path of a file, not {value!r}")
    return os.fspath(value)


def _ignore(name: str, value: Any) -> str | None:
    return "ignore" if _yes(name, value) else None


def _serde(name: str, value: Any) -> int:
    """What pymemcache's own make of a value: pickles as here, and compression above a length."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if kind == "pymemcache.serde.PickleSerde":
        written = getattr(value._serialize_func, "keywords", {}).get("pickle_version")
        if written in (None, -1, pickle.HIGHEST_PROTOCOL):
            return 0
        raise ValueError(f"{name} is refused: pickles have the protocol {pickle.HIGHEST_PROTOCOL}")
    if kind == "pymemcache.serde.CompressedSerde" and value._compress is zlib.compress:
        _serde(name, value._serde)
        return _whole(name, value._min_compress_len)
    raise ValueError(
        f"{name} is refused: values are written as pymemcache's PickleSerde and CompressedSerde do"
    )


#: Ours: the field, and what reads the value.
OURS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "DISTRIBUTION": ("distribution", _distribution),
    "ABSENT_NODES": ("absent", _one_of("miss", "raise", "silent", "ignore")),
    "COMPRESS_MIN_LENGTH": ("compress_min_length", _whole),
    "TLS": ("tls", _yes),
    "TLS_CA": ("tls_ca", _path),
    "TLS_CERTIFICATE": ("tls_certificate", _path),
    "TLS_KEY": ("tls_key", _path),
    "TLS_VERIFY": ("tls_verify", _one_of("full", "chain", "nothing")),
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
TIMERS_ARE_PYMEMCACHES = "retry_attempts and dead_timeout belong to the distribution of pymemcache"
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
    "ignore_exc": ("absent", _ignore),
    "default_noreply": None,
    "retry_attempts": ("retry_attempts", _whole),
    "dead_timeout": ("dead_timeout", _seconds),
    "hasher": "DISTRIBUTION names the rules that there are",
    "serde": ("compress_min_length", _serde),
    "serializer": "values are written as pymemcache's own serde writes them",
    "deserializer": "values are read as pymemcache's own serde reads them",
    "key_prefix": "KEY_PREFIX of the alias does that",
    "socket_module": NOT_A_CLIENT,
    "tls_context": (
        "an SSLContext cannot be read by another TLS library: TLS, TLS_CA and their like say the same"
    ),
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
        _check(options)
    except ValueError as error:
        raise ImproperlyConfigured(f"hotclub: {name} at {location!r}: {error}") from error
    return options


def _check(options: MemcachedOptions) -> None:
    if (options.username is None) != (options.password is None):
        raise ValueError("USERNAME and PASSWORD belong together")
    if options.tls_key is not None and options.tls_certificate is None:
        raise ValueError("TLS_KEY needs TLS_CERTIFICATE")
    files = (options.tls_ca, options.tls_certificate, options.tls_key)
    if not options.tls and (any(files) or options.tls_verify != "full"):
        raise ValueError("TLS_ options need TLS: True")
    has_timers = options.retry_attempts is not None or options.dead_timeout is not None
    if has_timers and options.distribution != "pymemcache":
        raise ValueError(TIMERS_ARE_PYMEMCACHES)


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
    read_value = read(option, value)
    # What one of ours says counts before what one of the library's means.
    given = getattr(options, field) if field == "absent" else None
    return replace(options, **{field: read_value if given is None else given})


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
    if behavior == "pickle_protocol":
        if setting in (None, -1, pickle.HIGHEST_PROTOCOL):
            return options
        raise ValueError(f"pickle_protocol is refused: it is {pickle.HIGHEST_PROTOCOL} here")
    if behavior not in BEHAVIORS:
        known = ", ".join(
            sorted([*BEHAVIORS, "pickle_protocol", "ketama", "ketama_weighted", "distribution"])
        )
        raise ValueError(f"unknown behavior {behavior!r}; known are {known}")
    meaning = BEHAVIORS[behavior]
    if not setting or setting == "default":
        # It asks for nothing that would be done otherwise.
        return options
    if isinstance(meaning, str):
        raise ValueError(f"the behavior {behavior} is refused: {meaning}")
    if meaning is None:
        return options
    field, unit = meaning
    seconds: Any = _seconds(behavior, setting) * unit
    return replace(options, **{field: seconds})
