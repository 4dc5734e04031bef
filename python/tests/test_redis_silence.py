"""What is said of failures, what is kept silent, and what is raised without redis-py."""

from __future__ import annotations

import logging
import pickle
import time
from typing import Any

import pytest
from hotclub import errors

import programs
from clocks import until
from fault_proxy import FaultProxy, Passing, Refuse
from packages import need_package
from redis_breaking import (
    LOGGER,
    QUICK,
    VERBS,
    failing,
    nobody,
    recovers,
)
from redis_clients import REDIS
from servers import RedisServer

# What is said, and what is kept silent.


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of each line of the cache's logger."""
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name == LOGGER]


def test_each_change_of_state_is_one_line(
    to: Any, fault_proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    cache = to(fault_proxy.address)
    cache.set("k", 1)
    assert lines(caplog) == []
    for turn in range(1, 4):
        fault_proxy.set(Refuse())
        for _ in range(30):
            with pytest.raises(errors.CacheConnectionError):
                cache.get("k")
            time.sleep(0.005)
        assert len(lines(caplog)) == 2 * turn - 1
        level, text = lines(caplog)[-1]
        assert level == "ERROR"
        assert fault_proxy.address in text
        assert "refused" in text
        fault_proxy.set(Passing())
        recovers(cache)
        assert len(lines(caplog)) == 2 * turn
        level, text = lines(caplog)[-1]
        assert level == "WARNING"
        assert fault_proxy.address in text


IGNORING = {"DIALECT": "django-redis", "IGNORE_EXCEPTIONS": True}


def test_ignored_exceptions_are_misses_as_in_django_redis(configure: Any, door: Any) -> None:
    need_package("django_redis")
    location = f"redis://{nobody()}/1"
    theirs = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": location,
        "OPTIONS": {"IGNORE_EXCEPTIONS": True},
    }
    ours = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": {**QUICK, **IGNORING}}
    caches = configure(default=ours, theirs=theirs)
    cache = door(caches["default"])
    for verb, arguments in VERBS.items():
        if verb == "touch":  # there it raises all the same
            assert not cache.touch("k")
            continue
        expected = getattr(caches["theirs"], verb)(*arguments)
        assert getattr(cache, verb)(*arguments) == expected, verb
    assert cache.get("k", "default") == "default"
    assert cache.stats()["ignored_errors"] > 5


def test_ignored_exceptions_are_logged_once_if_that_is_asked_for(
    to: Any, fault_proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cache = to(fault_proxy.address, **IGNORING, LOG_IGNORED_EXCEPTIONS=True, LOGGER="own.logger")
    cache.set("k", 1)
    fault_proxy.set(Refuse())
    assert [cache.get("k", "gone") for _ in range(20)] == ["gone"] * 20
    said = [record.getMessage() for record in caplog.records if record.name == "own.logger"]
    assert 1 <= len(said) <= 2
    fault_proxy.set(Passing())
    until(lambda: cache.get("k") == 1)


def test_what_is_no_fault_of_the_server_is_never_ignored(
    to: Any, redis_server: RedisServer
) -> None:
    cache = to(redis_server.address, **IGNORING)
    with pytest.raises(ValueError, match="not found"):
        cache.incr("missing")
    with pytest.raises((AttributeError, pickle.PicklingError)):
        cache.set("k", lambda: None)


def test_messages_name_the_verb(to: Any) -> None:
    cache = to(nobody())
    for verb in ("get", "set", "incr", "get_many", "clear"):
        assert f"{verb} failed" in str(failing(cache, verb))


# Without redis-py.

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("redis", "django_redis", "hiredis"):
            asked.append(name)
            raise ImportError(f"{name} is not installed")
asked = []
sys.meta_path.insert(0, Blocked())
"""


def test_without_redis_py_the_exceptions_are_ours_alone(redis_server: RedisServer) -> None:
    said = programs.run(
        BLOCKED
        + f"""
import asyncio
import hotclub, hotclub.django
from hotclub import errors
from django.conf import settings
where = {{"BACKEND": "hotclub.django.RedisCache"}}
settings.configure(CACHES={{
    "default": where | {{"LOCATION": {redis_server.url_db(1)!r}}},
    "old": where | {{"LOCATION": {redis_server.url_db(1)!r}, "OPTIONS": {{"DIALECT": "django-redis"}}}},
    "dead": where | {{"LOCATION": "redis://{nobody()}"}},
}})
import django
django.setup()
from django.core.cache import caches
for alias in ("default", "old"):
    cache = caches[alias]
    cache.set("k", {{"a": [1]}}, 60)
    assert cache.get("k") == {{"a": [1]}} and asyncio.run(cache.aget("k")) == {{"a": [1]}}
    cache.set("n", 1)
    assert cache.incr("n") == asyncio.run(cache.aincr("n")) - 1
    with cache.lock("lock"):
        assert cache.ttl("k") > 0
assert asked == [], asked
def fails(work):
    try:
        work()
    except errors.CacheError as error:
        modules = {{base.__module__.partition(".")[0] for base in type(error).__mro__}}
        assert modules <= {{"hotclub", "builtins"}}, modules
        return type(error).__name__
    raise AssertionError("no error")
print(fails(lambda: caches["dead"].get("k")), fails(lambda: asyncio.run(caches["dead"].aget("k"))))
caches["default"].set("text", "x")
print(fails(lambda: caches["default"].incr("text")))
"""
    )
    assert said.split() == ["CacheConnectionError", "CacheConnectionError", "NotAnIntegerError"]


def test_nothing_imports_redis_py_until_there_is_an_error() -> None:
    programs.run(
        """
        import sys
        import hotclub, hotclub.django, hotclub.django.redis, hotclub.errors
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert not loaded & {"redis", "django_redis", "hiredis", "lz4", "pyzstd", "msgpack", "ormsgpack"}
        """
    )
