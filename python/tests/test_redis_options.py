"""OPTIONS of a Redis cache, as Django, redis-py and django-redis have them."""

from __future__ import annotations

import inspect
import os
import pickle
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hotclub.django.redis_options import RedisOptions, redis_options
from hotclub.django.redis_options.names import ACCEPTED, IGNORED, REFUSED

from packages import need_package
from redis_settings import DEFAULT, SECRET, URL, read, refused


def test_every_wait_has_a_limit() -> None:
    options = read()
    assert (options.connect_limit, options.reply_limit, options.pool_limit) == (2.0, 5.0, 5.0)
    assert (options.pool_size, options.breaker) == (64, 1.0)
    none = read(socket_timeout=None, SOCKET_CONNECT_TIMEOUT=0, max_connections=None)
    assert none.as_rust() == options.as_rust()


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("CONNECT_LIMIT", "SOCKET_CONNECT_TIMEOUT", "socket_connect_timeout"), "connect_limit"),
        (("REPLY_LIMIT", "SOCKET_TIMEOUT", "socket_timeout"), "reply_limit"),
        (("POOL_LIMIT", "timeout"), "pool_limit"),
        (("BREAKER",), "breaker"),
        (("POOL_SIZE", "max_connections"), "pool_size"),
    ],
)
def test_limits_have_several_names_and_the_first_counts(names: Any, field: str) -> None:
    for name in names:
        assert getattr(read(**{name: 3}), field) == 3
        for wrong in (-1, "3", True, float("nan"), float("inf"), [1]):
            assert name in refused(**{name: wrong})
    given = {name: number for number, name in enumerate(names, start=1)}
    assert getattr(read(**given), field) == 1


def test_who_wants_quick_answers_does_not_wait_longer_for_a_connection() -> None:
    assert read(SOCKET_TIMEOUT=0.25).connect_limit == 0.25
    assert read(SOCKET_TIMEOUT=30).connect_limit == 2.0
    assert read(SOCKET_TIMEOUT=0.25, CONNECT_LIMIT=1).connect_limit == 1.0


def give() -> tuple[str | None, str]:
    return "user", SECRET


class Provider:
    def get_credentials(self) -> tuple[str, ...]:
        return (SECRET,)


def test_credentials_come_from_a_function_or_a_provider_of_redis_py() -> None:
    assert read(CREDENTIALS=give).credentials() == ("user", SECRET)
    assert read(CREDENTIALS="os.getcwd").credentials() == os.getcwd()
    assert read(credential_provider=Provider()).credentials() == (SECRET,)
    assert "leave out one" in refused(CREDENTIALS=give, PASSWORD=SECRET)
    assert "leave out one" in refused(f"redis://:{SECRET}@h", credential_provider=Provider())
    assert "function" in refused(CREDENTIALS=5)
    assert "imported" in refused(CREDENTIALS="no.such.function")
    assert "get_credentials" in refused(credential_provider=give)


def test_no_secret_is_shown() -> None:
    location = f"redis+sentinel://u:{SECRET}@h/main?sentinel_password={SECRET}"
    options = read(location, PASSWORD=SECRET, SIGNING_KEYS=[SECRET * 3])
    assert SECRET not in repr(options)
    assert options.password == SECRET
    assert "must be text" in refused(PASSWORD=[SECRET])
    assert "SIGNING_KEYS" in refused(SIGNING_KEYS=[SECRET, 5])
    assert "CREDENTIALS" in refused(CREDENTIALS=("user", SECRET))
    assert "a dict" in refused(CONNECTION_POOL_KWARGS=[("password", SECRET)])
    assert "a dict" in refused(SENTINEL_KWARGS=[("password", SECRET)])


def test_plain_values_go_to_rust() -> None:
    plain = read("rediss://u:p@h/1", client_name="web").as_rust()

    def is_plain(value: Any) -> bool:
        if isinstance(value, (list, dict)):
            return all(map(is_plain, value.values() if isinstance(value, dict) else value))
        return value is None or type(value) in (str, int, float, bool)

    assert is_plain(plain)
    assert (plain["servers"], plain["username"], plain["password"]) == (
        ["rediss://h:6379/1"],
        "u",
        "p",
    )
    assert (plain["addresses"], plain["db"], plain["reply_limit"]) == (["h:6379"], 1, 5.0)


@pytest.mark.parametrize(
    ("options", "dialect"),
    [
        ({}, "django"),
        ({"PASSWORD": "x", "IGNORE_EXCEPTIONS": True}, "django"),
        (DEFAULT, "django-redis"),
        ({"SERIALIZER": "django_redis.serializers.json.JSONSerializer"}, "django-redis"),
        ({"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"}, "django-redis"),
        ({"CONNECTION_POOL_KWARGS": {}}, "django-redis"),
        ({"DIALECT": "django", **DEFAULT}, "django"),
        ({"DIALECT": "vcache"}, "vcache"),
    ],
)
def test_a_name_of_django_redis_chooses_its_dialect(options: dict[str, Any], dialect: str) -> None:
    found = read(**options)
    assert (found.dialect, found.read) == (dialect, (dialect,))


def test_a_dialect_means_bytes_units_and_return_values() -> None:
    def means(dialect: str) -> Any:
        found = read(DIALECT=dialect)
        protocol = found.pickle_protocol == pickle.HIGHEST_PROTOCOL
        return (
            found.precision,
            found.on_decode_error,
            found.incr_missing,
            found.incr_version_ttl,
            protocol,
        )

    default = pickle.DEFAULT_PROTOCOL == pickle.HIGHEST_PROTOCOL
    assert means("django") == ("seconds", "raise", "raise", "default", True)
    assert means("django-redis") == ("milliseconds", "raise", "raise", "keep", default)
    assert means("vcache") == ("seconds", "miss", "create", "default", default)


def test_what_a_dialect_means_can_be_changed_one_by_one() -> None:
    found = read(
        PRECISION="milliseconds", ON_DECODE_ERROR="miss", INCR_VERSION_TTL="keep", CLEAR="prefix"
    )
    assert (found.dialect, found.precision, found.on_decode_error) == (
        "django",
        "milliseconds",
        "miss",
    )
    assert (found.incr_version_ttl, found.incr_missing, found.clear) == ("keep", "raise", "prefix")
    assert read(DIALECT="vcache", INCR_MISSING="raise").incr_missing == "raise"


def test_several_dialects_can_be_read_among_them_the_one_written() -> None:
    assert read(READ=["django", "vcache"]).read == ("django", "vcache")
    assert read(READ=("vcache", "django", "vcache")).read == ("vcache", "django")
    assert read(DIALECT="vcache", READ="vcache").read == ("vcache",)
    assert "READ" in refused(READ=["vcache"])
    assert "'django-redis'" in refused(READ=["redis"])
    assert "READ" in refused(READ=[])


@pytest.mark.parametrize(
    ("version", "protocol"), [(0, 0), (2, 2), ("3", 3), (-1, pickle.HIGHEST_PROTOCOL)]
)
def test_the_pickle_version_is_read_as_django_redis_reads_it(version: Any, protocol: int) -> None:
    assert read(PICKLE_VERSION=version, **DEFAULT).pickle_protocol == protocol
    assert "HIGHEST_PROTOCOL" in refused(PICKLE_VERSION=99)
    assert "whole number" in refused(PICKLE_VERSION="new")


def test_codecs_that_do_not_go_together_are_refused() -> None:
    compressor = {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"}
    assert "neither writes nor reads" in refused(DIALECT="django", **compressor)
    assert "calls it SERIALIZER" in refused(serializer=pickle, **compressor)
    reading = read(DIALECT="django", READ=["django", "django-redis"], **compressor)
    assert reading.compressor_path == compressor["COMPRESSOR"]


def test_own_keys_cannot_be_told_by_their_prefix_if_a_function_makes_them() -> None:
    with pytest.raises(ImproperlyConfigured, match="KEY_FUNCTION"):
        redis_options(URL, {"KEY_FUNCTION": str, "OPTIONS": {"CLEAR": "prefix"}})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"CLIENT_CLASS": "django_redis.client.ShardClient"}, "Redis Cluster"),
        ({"CLIENT_CLASS": "django_redis.client.herd.HerdClient"}, "get_or_set"),
        ({"CLIENT_CLASS": "shop.cache.Client"}, "not run here"),
        ({"CACHE_HERD_TIMEOUT": 5}, "HerdClient"),
        ({"CONNECTION_FACTORY": "shop.cache.Factory"}, "in Rust"),
        ({"CONNECTION_POOL_CLASS": "shop.cache.Pool"}, "would not run"),
        (
            {"CONNECTION_POOL_KWARGS": {"connection_class": "fakeredis.FakeConnection"}},
            "would not run",
        ),
        ({"CONNECTION_POOL_KWARGS": {"decode_responses": True}}, "values are bytes"),
        ({"CONNECTION_POOL_KWARGS": []}, "a dict"),
        ({"REPLICA_READ_ONLY": False}, "first server alone"),
        ({"pool_class": Provider}, "would not run"),
        ({"encoding": "latin-1"}, "UTF-8"),
        ({"host": "h"}, "LOCATION"),
        ({"redis_connect_func": print}, "redis-py"),
        ({"socket_timeot": 1}, "did you mean 'socket_timeout'"),
        ({"connect_limit": 1}, "did you mean 'CONNECT_LIMIT'"),
        ({"Serializer": 1}, "did you mean 'SERIALIZER'"),
        ({"CONNECTION_POOL_KWARGS": {"max_conections": 1}}, "'max_connections'"),
        ({"frobnicate": 1}, "is no option"),
        ({5: 1}, "OPTIONS['5'] is no option"),
        ({"IGNORE_EXCEPTIONS": "False"}, "True or False"),
        ({"protocol": 4}, "one of 2, 3"),
        ({"client_name": "a b"}, "without blanks"),
        ({"READ_FROM": "secondary"}, "'replicas', 'primary', 'any'"),
        ({"CLEAR": True}, "'flushdb', 'prefix'"),
        ({"SAFE_PICKLE": "yes"}, "dotted paths"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name_with_the_reason(
    options: dict[Any, Any], words: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        redis_options(URL, {"OPTIONS": options})
    message = str(caught.value)
    assert words in message
    assert str(next(iter(options))) in message


def test_options_that_are_no_dict_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="needs a dict"):
        redis_options(URL, {"OPTIONS": [("db", 1)]})


def test_what_has_no_meaning_here_is_left_alone() -> None:
    plain = read()
    for name in IGNORED:
        assert read(**{name: object()}).as_rust() == plain.as_rust(), name
    harmless = {
        "decode_responses": False,
        "encoding": "utf-8",
        "parser_class": "redis.connection.PythonParser",
        "pool_class": "redis.BlockingConnectionPool",
        "ssl_validate_ocsp": False,
    }
    assert read(**harmless).as_rust() == plain.as_rust()


def test_a_codec_of_ones_own_may_have_options_of_its_own() -> None:
    assert read(SERIALIZER="shop.codec.Serializer", SHOP_LEVEL=5).given["SHOP_LEVEL"] == 5
    assert "SHOP_LEVEL" in refused(
        COMPRESSOR="django_redis.compressors.zlib.ZlibCompressor", SHOP_LEVEL=5
    )
    assert "shop_level" in refused(SERIALIZER="shop.codec.Serializer", shop_level=5)
    assert "HerdClient" in refused(SERIALIZER="shop.codec.Serializer", CACHE_HERD_TIMEOUT=5)


def test_no_name_is_in_two_tables() -> None:
    tables = (ACCEPTED, IGNORED, REFUSED)
    assert sum(map(len, tables)) == len({name for table in tables for name in table})


def test_every_argument_of_a_connection_of_redis_py_is_known() -> None:
    connection = need_package("redis.connection")
    private = ("orig_", "maint", "himport", "oss_cluster_maint")
    for kind in ("ConnectionPool", "Connection", "AbstractConnection", "SSLConnection"):
        for name in inspect.signature(getattr(connection, kind)).parameters:
            if name not in ("kwargs", "args", "connection_kwargs") and not name.startswith(private):
                assert name in ACCEPTED | IGNORED | REFUSED, (kind, name)


def test_settings_of_the_project_are_those_of_django_redis_alone() -> None:
    project = {
        "DJANGO_REDIS_IGNORE_EXCEPTIONS": True,
        "DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS": True,
        "DJANGO_REDIS_LOGGER": "shop.cache",
        "DJANGO_REDIS_SCAN_ITERSIZE": 30,
        "DJANGO_REDIS_CLOSE_CONNECTION": True,
    }

    def said(found: RedisOptions) -> Any:
        return (
            found.ignore_exceptions,
            found.log_ignored_exceptions,
            found.logger,
            found.scan_itersize,
            found.close_connection,
        )

    assert said(read(**DEFAULT)) == (False, False, "hotclub.redis", 1000, False)
    with override_settings(**project):
        assert said(read(**DEFAULT)) == (True, True, "shop.cache", 30, True)
        assert said(read(IGNORE_EXCEPTIONS=False, SCAN_ITERSIZE=5, **DEFAULT))[::3] == (False, 5)
        assert said(read()) == (False, False, "hotclub.redis", 1000, False)
    with (
        override_settings(DJANGO_REDIS_SCAN_ITERSIZE="many"),
        pytest.raises(ImproperlyConfigured, match="DJANGO_REDIS_SCAN_ITERSIZE"),
    ):
        read(**DEFAULT)


def test_the_function_that_reverses_keys_stands_beside_options() -> None:
    found = redis_options(URL, {"REVERSE_KEY_FUNCTION": "os.path.basename"})
    assert found.reverse_key("a/b") == "b"
    assert read(REVERSE_KEY_FUNCTION=str.upper).reverse_key("a") == "A"
    with pytest.raises(ImproperlyConfigured, match="REVERSE_KEY_FUNCTION"):
        redis_options(URL, {"REVERSE_KEY_FUNCTION": "no.such"})


def test_settings_do_not_change_once_they_are_read() -> None:
    given = {"db": 3}
    found = redis_options("redis://h", {"OPTIONS": given})
    given["db"] = 4
    assert found.given == {"db": 3}
    with pytest.raises(AttributeError):
        found.db = 5  # type: ignore[misc]
