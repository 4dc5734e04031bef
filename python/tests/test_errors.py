"""What caches raise: our classes, and beside them those of the client that they replace."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import InvalidCacheKey
from django.core.exceptions import ImproperlyConfigured
from hotclub import errors

import programs
from packages import need_package

MESSAGE = 'redis: get failed (alias "default", 127.0.0.1:6379): connection refused'
REFUSED = 'redis: set failed (alias "default", 127.0.0.1:6379): '


@pytest.fixture
def redis() -> Any:
    return need_package("redis.exceptions")


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if neither redis-py nor django-redis were installed."""
    monkeypatch.setattr(errors, "_combinations", {})
    errors._found.cache_clear()
    for name in ("redis", "redis.exceptions", "django_redis", "django_redis.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    yield
    errors._found.cache_clear()


KINDS = {
    "unavailable": (errors.CacheConnectionError, ConnectionError),
    "timeout": (errors.CacheTimeoutError, TimeoutError),
    "ambiguous": (errors.AmbiguousError, TimeoutError),
    "protocol": (errors.ProtocolError, ConnectionError),
    "config": (errors.CacheConfigurationError, ImproperlyConfigured),
    "corrupt": (errors.CacheDecodeError, pickle.UnpicklingError),
    "encode": (errors.CacheEncodeError, pickle.PicklingError),
    "not_an_integer": (errors.NotAnIntegerError, errors.ResponseError),
    "refused": (errors.ResponseError, errors.CacheError),
    "invalid_key": (errors.InvalidKeyError, InvalidCacheKey),
    "too_large": (errors.TooLargeError, errors.CacheError),
    "unsupported": (errors.UnsupportedError, NotImplementedError),
    "loader": (errors.LoaderError, errors.CacheError),
    "lock": (errors.LockError, ValueError),
    "lock_not_owned": (errors.LockNotOwnedError, errors.LockError),
}


@pytest.mark.parametrize("client", ["", "redis", "django-redis"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_class_of_ours_that_says_what_happened(kind: str, client: str) -> None:
    ours, also = KINDS[kind]
    error = errors.make(kind, MESSAGE, client)
    assert isinstance(error, ours)
    assert isinstance(error, also)
    assert isinstance(error, errors.CacheError)
    assert (str(error), error.message, error.args) == (MESSAGE, MESSAGE, (MESSAGE,))
    assert repr(error) == f"{ours.__name__}({MESSAGE!r})"
    assert (type(error).__name__, type(error).__module__) == (ours.__name__, "hotclub.errors")
    assert type(error) is type(errors.make(kind, "another", client))


def test_the_list_of_kinds_is_whole() -> None:
    assert set(KINDS) == set(errors.KINDS)


@pytest.mark.parametrize("client", ["", "redis", "django-redis"])
def test_a_missing_key_is_a_plain_value_error(client: str) -> None:
    error = errors.make("key_not_found", "Key ':1:k' not found.", client)
    assert type(error) is ValueError
    assert str(error) == "Key ':1:k' not found."


@pytest.mark.parametrize("client", ["", "redis", "django-redis"])
def test_a_value_that_is_no_number_is_not_taken_for_a_missing_key(client: str) -> None:
    assert not isinstance(errors.make("not_an_integer", "ERR", client), ValueError)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("unavailable", ["ConnectionError"]),
        ("timeout", ["TimeoutError"]),
        ("ambiguous", ["TimeoutError", "ConnectionError"]),
        ("protocol", ["InvalidResponse", "ConnectionError"]),
        ("not_an_integer", ["ResponseError"]),
        ("refused", ["ResponseError"]),
        ("too_large", ["DataError"]),
        ("lock", ["LockError"]),
        ("lock_not_owned", ["LockNotOwnedError", "LockError"]),
    ],
)
@pytest.mark.parametrize("client", ["redis", "django-redis"])
def test_what_redis_py_would_raise_is_caught_too(
    redis: Any, client: str, kind: str, theirs: list[str]
) -> None:
    error = errors.make(kind, MESSAGE, client)
    for name in [*theirs, "RedisError"]:
        with pytest.raises(getattr(redis, name)):
            raise error
    assert error.status_code is None or kind.startswith("lock")


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        ("WRONGPASS invalid username-password pair", "AuthenticationError", "AuthenticationError"),
        ("NOAUTH Authentication required.", "AuthenticationError", "AuthenticationError"),
        ("LOADING Redis is loading", "BusyLoadingError", "BusyLoadingError"),
        ("READONLY You can't write", "ResponseError", "ReadOnlyError"),
        ("NOPERM this user has no permissions", "ResponseError", "NoPermissionError"),
        ("OOM command not allowed", "ResponseError", "OutOfMemoryError"),
        ("NOSCRIPT No matching script", "ResponseError", "NoScriptError"),
        ("CROSSSLOT Keys in request", "ResponseError", "ClusterCrossSlotError"),
        ("CLUSTERDOWN The cluster is down", "ResponseError", "ClusterDownError"),
        ("TRYAGAIN Multiple keys", "ResponseError", "TryAgainError"),
        ("WRONGTYPE Operation against a key", "ResponseError", "ResponseError"),
        ("ERR wrong number of arguments", "ResponseError", "ResponseError"),
    ],
)
@pytest.mark.parametrize("prefix", ["", REFUSED])
def test_the_server_s_first_word_chooses_the_class(
    redis: Any, words: str, ours: str, theirs: str, prefix: str
) -> None:
    error = errors.make("refused", prefix + words, "redis")
    assert isinstance(error, getattr(errors, ours))
    assert isinstance(error, getattr(redis, theirs))
    assert isinstance(error, errors.ResponseError)
    assert str(error) == prefix + words


def test_a_wrong_password_is_a_connection_that_cannot_be_used(redis: Any) -> None:
    error = errors.make("unavailable", f"{REFUSED}WRONGPASS invalid password", "redis")
    assert isinstance(error, (errors.CacheConnectionError, redis.ConnectionError))
    assert isinstance(error, errors.AuthenticationError)
    assert not isinstance(error, redis.ResponseError)


def test_connection_interrupted_of_django_redis_is_caught_in_its_dialect() -> None:
    theirs = need_package("django_redis.exceptions").ConnectionInterrupted
    for kind in ("unavailable", "timeout", "ambiguous", "refused"):
        with pytest.raises(theirs, match="connection refused") as caught:
            raise errors.make(kind, MESSAGE, "django-redis")
        assert caught.value.connection is None
    assert not isinstance(errors.make("unavailable", MESSAGE, "redis"), theirs)


def test_without_the_packages_the_classes_are_ours_alone(without_packages: None) -> None:
    for kind, (ours, _) in KINDS.items():
        error = errors.make(kind, MESSAGE, "django-redis")
        assert isinstance(error, ours)
        assert str(error) == MESSAGE
        bases = {base.__module__.partition(".")[0] for base in type(error).__mro__}
        assert bases <= {"hotclub", "builtins", "_pickle", "django"}


@pytest.mark.parametrize("client", ["", "redis", "django-redis"])
@pytest.mark.parametrize("kind", [*KINDS, "key_not_found"])
def test_errors_travel_between_processes(kind: str, client: str) -> None:
    error = errors.make(kind, MESSAGE, client)
    error.place = "127.0.0.1:6379"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is type(error)
        assert (again.args, str(again), again.place) == (error.args, MESSAGE, error.place)


def test_an_error_is_read_where_the_package_is_missing(redis: Any) -> None:
    data = pickle.dumps(errors.make("timeout", MESSAGE, "redis"))
    programs.run(
        f"""
        import sys
        sys.modules["redis"] = sys.modules["redis.exceptions"] = None
        import pickle
        from hotclub import errors
        error = pickle.loads({data!r})
        assert type(error) is errors.CacheTimeoutError and str(error) == {MESSAGE!r}
        """
    )


def test_nothing_is_imported_before_the_first_error() -> None:
    programs.run(
        """
        import sys
        sys.modules["django"] = None
        from hotclub import errors
        assert not any(name.startswith(("redis", "django_redis")) for name in sys.modules)
        error = errors.make("config", "a setting is wrong")
        assert type(error) is errors.CacheConfigurationError
        assert isinstance(errors.make("invalid_key", "no key"), ValueError)
        """
    )


def test_an_unknown_kind_or_client_is_still_an_error() -> None:
    assert type(errors.make("unheard of", MESSAGE, "of nobody")) is errors.CacheError


def test_an_error_takes_attributes_and_a_cause() -> None:
    error = errors.make("loader", "the loader failed")
    error.__cause__ = KeyError("x")
    assert isinstance(error, errors.LoaderError)
    with pytest.raises(errors.CacheError) as caught:
        raise error
    assert isinstance(caught.value.__cause__, KeyError)


def test_every_public_name_is_documented() -> None:
    for name in errors.__all__:
        assert getattr(errors, name).__doc__, name
