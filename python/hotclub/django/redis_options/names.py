"""The options of a Redis cache: what each name means here.

One table for the names of Django (which are redis-py's), of django-redis and of hotclub. A name is accepted,
ignored because nothing here depends on it, or refused with the reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from hotclub.django.redis_options.location import sentinel_hosts
from hotclub.django.redis_options.readers import (
    DIALECTS,
    Reader,
    certificates,
    client_class,
    database,
    dialects,
    factory,
    function,
    keys,
    limit,
    mapping,
    name,
    number,
    of_redis_py,
    one_of,
    only,
    path,
    pickle_version,
    plain_yes,
    provider,
    safe_pickle,
    text,
    tls_version,
    whole,
    yes,
)

_KNOWN_CODECS = ("django_redis.", "hotclub.", "msgpack", "pickle")
#: Names that only django-redis has: one of them in OPTIONS chooses its dialect.
OF_DJANGO_REDIS = ("CLIENT_CLASS", "SERIALIZER", "COMPRESSOR", "CONNECTION_POOL_KWARGS")


@dataclass(frozen=True)
class Option:
    """One accepted name: the field it sets, and what reads its value (ValueError: what it must be)."""

    field: str
    read: Reader
    #: ``None`` means something of its own, not "as if left out".
    none_counts: bool = False
    #: Never shown.
    secret: bool = False


#: Every accepted name. Of several names for one field the first one in this table counts.
ACCEPTED: dict[str, Option] = {
    # Ours.
    "DIALECT": Option("dialect", one_of(*DIALECTS)),
    "READ": Option("read", dialects),
    "TOPOLOGY": Option("topology", one_of("standalone", "replicas", "sentinel", "cluster")),
    "READ_FROM": Option("read_from", one_of("replicas", "primary", "any")),
    "CLEAR": Option("clear", one_of("flushdb", "prefix")),
    "PRECISION": Option("precision", one_of("seconds", "milliseconds")),
    "ON_DECODE_ERROR": Option("on_decode_error", one_of("raise", "miss")),
    "INCR_MISSING": Option("incr_missing", one_of("raise", "create")),
    "INCR_VERSION_TTL": Option("incr_version_ttl", one_of("default", "keep")),
    "CONNECT_LIMIT": Option("connect_limit", number()),
    "REPLY_LIMIT": Option("reply_limit", number()),
    "POOL_SIZE": Option("pool_size", whole(1)),
    "POOL_LIMIT": Option("pool_limit", number(above=False)),
    "BREAKER": Option("breaker", number(above=False)),
    "CREDENTIALS": Option("credentials", function, secret=True),
    # What is None by mistake must not turn these off.
    "SIGNING_KEYS": Option("signing_keys", keys, none_counts=True, secret=True),
    "SIGNING_READ_UNSIGNED": Option("signing_read_unsigned", plain_yes),
    "SIGNING_WRITE_UNSIGNED": Option("signing_write_unsigned", plain_yes),
    "SAFE_PICKLE": Option("safe_pickle", safe_pickle, none_counts=True),
    "LOG_IGNORED_EXCEPTIONS": Option("log_ignored_exceptions", yes),
    "LOGGER": Option("logger", text),
    "SCAN_ITERSIZE": Option("scan_itersize", whole(1)),
    # django-redis'.
    "CLIENT_CLASS": Option("client_class", client_class),
    "CONNECTION_FACTORY": Option("factory", factory),
    "CONNECTION_POOL_CLASS": Option("pool_class", of_redis_py),
    "CONNECTION_POOL_KWARGS": Option("pool_kwargs", mapping, secret=True),
    "REDIS_CLIENT_CLASS": Option("redis_class", of_redis_py),
    "SENTINELS": Option("sentinels", sentinel_hosts),
    "SENTINEL_KWARGS": Option("sentinel_kwargs", mapping, secret=True),
    "SERIALIZER": Option("serializer_path", text),
    "COMPRESSOR": Option("compressor_path", text),
    "PICKLE_VERSION": Option("pickle_version", pickle_version),
    "USERNAME": Option("username", text, secret=True),
    "PASSWORD": Option("password", text, secret=True),
    "SOCKET_CONNECT_TIMEOUT": Option("connect_limit", limit),
    "SOCKET_TIMEOUT": Option("reply_limit", limit),
    "IGNORE_EXCEPTIONS": Option("ignore_exceptions", yes),
    "CLOSE_CONNECTION": Option("close_connection", yes),
    "REVERSE_KEY_FUNCTION": Option("reverse_key", function),
    "REPLICA_READ_ONLY": Option("_", only(True, why="writes go to the first server alone")),
    # django-vcache's.
    "CLUSTER_MODE": Option("cluster_mode", yes),
    "COMPRESS_MIN_LEN": Option("compress_min_len", whole(0)),
    # redis-py's, which are Django's.
    "serializer": Option("serializer", lambda value: value),
    "pool_class": Option("pool_class", of_redis_py),
    "connection_class": Option("connection_class", of_redis_py),
    "db": Option("db", database),
    "username": Option("username", text, secret=True),
    "password": Option("password", text, secret=True),
    "credential_provider": Option("credentials", provider, secret=True),
    "socket_connect_timeout": Option("connect_limit", limit),
    "socket_timeout": Option("reply_limit", limit),
    "max_connections": Option("pool_size", whole(1)),
    "timeout": Option("pool_limit", number(above=False)),
    "client_name": Option("client_name", name),
    "protocol": Option("protocol", one_of(2, 3)),
    "ssl": Option("ssl", yes),
    "ssl_keyfile": Option("key", path),
    "ssl_certfile": Option("certificate", path),
    "ssl_ca_certs": Option("ca", path),
    "ssl_cert_reqs": Option("verify", certificates, none_counts=True),
    "ssl_check_hostname": Option("check_hostname", yes),
    "ssl_min_version": Option("tls_version", tls_version),
    "ssl_password": Option("_", only("", why="the key file must not be encrypted"), secret=True),
    "ssl_validate_ocsp": Option("_", only(False, why="OCSP is not checked here")),
    "ssl_validate_ocsp_stapled": Option("_", only(False, why="OCSP is not checked here")),
    "ssl_include_verify_flags": Option("_", only([], (), why="no other checks can be added")),
    "decode_responses": Option("_", only(False, why="values are bytes")),
    "encoding": Option(
        "_", only("utf-8", "utf8", "UTF-8", why="keys are UTF-8, as Django writes them")
    ),
    # In a URL's query.
    "sentinel_username": Option("sentinel_username", text, secret=True),
    "sentinel_password": Option("sentinel_password", text, secret=True),
}

_CONNECTIONS = "connections are made and kept in Rust"
#: Accepted and without effect, with the reason.
IGNORED: dict[str, str] = {
    **dict.fromkeys(("parser_class", "PARSER_CLASS"), "replies are parsed in Rust"),
    **dict.fromkeys(("MAX_ENTRIES", "CULL_FREQUENCY"), "the server decides what it drops"),
    **dict.fromkeys(("lib_name", "lib_version", "driver_info"), "hotclub says who it is"),
    **dict.fromkeys(
        ("retry", "retry_on_timeout", "retry_on_error", "health_check_interval"),
        "what can be repeated safely is repeated once, on a fresh connection",
    ),
    **dict.fromkeys(
        (
            "REDIS_CLIENT_KWARGS",
            "cache",
            "cache_config",
            "cache_factory",
            "command_packer",
            "encoding_errors",
            "event_dispatcher",
            "legacy_responses",
            "maint_notifications_config",
            "queue_class",
            "single_connection_client",
            "socket_keepalive",
            "socket_keepalive_options",
            "socket_read_size",
            "socket_type",
            "ssl_ciphers",
            "ssl_exclude_verify_flags",
        ),
        _CONNECTIONS,
    ),
}

#: Refused, with the reason.
REFUSED: dict[str, str] = {
    "CACHE_HERD_TIMEOUT": "it belongs to HerdClient, whose values have a wrapper of their own",
    "redis_connect_func": "it runs on a connection of redis-py, and there is none",
    **dict.fromkeys(("ssl_ca_path", "ssl_ca_data"), "name one PEM file with ssl_ca_certs"),
    "ssl_ocsp_context": "OCSP is not checked here",
    "ssl_ocsp_expected_cert": "OCSP is not checked here",
    **dict.fromkeys(("host", "port", "path", "unix_socket_path"), "write it into LOCATION"),
}


def read_options(given: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Fields from names. ``where`` names the place in messages: ``OPTIONS['{}']``.

    Beside a serializer or compressor of one's own there may be other names, in upper case: it gets OPTIONS.
    """
    for option in given:
        if (
            option not in ACCEPTED
            and option not in IGNORED
            and not _is_for_own_codec(option, given)
        ):
            raise ImproperlyConfigured(_unknown(option, where))
    found: dict[str, Any] = {}
    for known, option in ACCEPTED.items():
        value = given.get(known)
        if known not in given or (value is None and not option.none_counts):
            continue
        try:
            read = option.read(value)
        except ValueError as error:
            shown = "" if option.secret or value is None else f"is {value!r} and "
            raise ImproperlyConfigured(
                f"hotclub: RedisCache: {where.format(known)} {shown}must be {error}"
            ) from None
        if read is not None:
            found.setdefault(option.field, read)
    return found


def _is_for_own_codec(option: Any, given: Mapping[Any, Any]) -> bool:
    paths = [given.get(name) for name in ("SERIALIZER", "COMPRESSOR")]
    own = any(isinstance(path, str) and not path.startswith(_KNOWN_CODECS) for path in paths)
    return own and option not in REFUSED and str(option).isupper()


def _unknown(option: Any, where: str) -> str:
    place = f"hotclub: RedisCache: {where.format(option)}"
    if reason := REFUSED.get(option):
        return f"{place} cannot be used: {reason}"
    known = [*ACCEPTED, *IGNORED]
    same = [other for other in known if other.lower() == str(option).lower()]
    near = same or difflib.get_close_matches(str(option), known, 1)
    return f"{place} is no option" + (f"; did you mean {near[0]!r}?" if near else "")
