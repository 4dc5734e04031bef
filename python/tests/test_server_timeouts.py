"""Timeouts on a server: whole seconds in Django's dialect, thousandths in that of django-redis."""

from __future__ import annotations

import decimal
import fractions
from typing import Any

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from hotclub.django import RedisCache

from backends import SHARED, redis_of_the_topics
from calls import outcome
from doors import over
from test_timeouts import KEPT, KEPT_IN_PROCESS, NOT_KEPT, REFUSED

# The server refuses to let an entry end so long ago; ours does not ask it to.
OVER = [timeout for timeout in NOT_KEPT if timeout > -(2**60)]
MORE = [float("-inf"), 0.5, 1.9, 1.9996, 0.0004, "1.5", decimal.Decimal(2)]
ALL = [*KEPT, *KEPT_IN_PROCESS, *OVER, *REFUSED, *MORE]


def left(cache: Any, *keys: str) -> list[int | None]:
    """The time that entries have, in ms and tenths of a second; None for ever, 0 for what is not there."""
    number = int(_url(getattr(cache, "behind", cache)).rpartition("/")[2])
    full = [cache.make_key(key) for key in keys]
    _, *times = redis_of_the_topics().ask_all(("SELECT", number), *(("PTTL", key) for key in full))
    return [{-1: None, -2: 0}.get(time, -(-time // 100) * 100) for time in times]


def _url(cache: Any) -> str:
    if isinstance(cache, RedisCache):
        return cache._options.servers[0]
    servers = getattr(cache, "_servers", None) or [cache._server]
    return str(servers[0])


def roads(cache: Any, timeout: Any) -> list[Any]:
    """What each verb that takes a timeout answers, and the time that its entry has then."""
    cache.set("touched", 1, None)
    cache.set("there", 1, None)
    cache.set("again", 1, None)
    answers = [
        outcome(cache.set, ("set", 1, timeout), {}),
        outcome(cache.set, ("again", 1, timeout), {}),
        outcome(cache.add, ("add", 1, timeout), {}),
        outcome(cache.add, ("there", 1, timeout), {}),
        outcome(cache.touch, ("touched", timeout), {}),
        outcome(cache.touch, ("missing", timeout), {}),
        outcome(cache.set_many, ({"many": 1}, timeout), {}),
        outcome(cache.get_or_set, ("or", 1, timeout), {}),
    ]
    return answers + left(cache, "set", "again", "add", "there", "touched", "missing", "many", "or")


@over("pair", SHARED)
@pytest.mark.parametrize("timeout", ALL, ids=repr)
def test_a_timeout_means_what_it_means_to_the_class_replaced(pair: Any, timeout: Any) -> None:
    ours, theirs = pair()
    assert roads(ours, timeout) == roads(theirs, timeout)


@over("pair", SHARED)
@pytest.mark.parametrize("setting", [None, 300, "60", "abc", 1.9, 0.9, 0, -1], ids=repr)
def test_the_timeout_setting_means_the_same(pair: Any, setting: Any) -> None:
    ours, theirs = pair(TIMEOUT=setting)
    assert roads(ours, DEFAULT_TIMEOUT) == roads(theirs, DEFAULT_TIMEOUT)


@over("pair", SHARED)
def test_what_is_counted_or_moved_has_the_time_that_it_has_there(pair: Any) -> None:
    for cache in (pairs := pair()):
        cache.set_many({"counted": 1, "moved": 1}, 1000)
        cache.set("for-ever", 1, None)
        for key in ("counted", "for-ever"):
            assert cache.incr(key, 5) == 6
        assert cache.incr_version("moved") == cache.incr_version("for-ever") == 2
        cache.version = 2
    ours, theirs = (left(cache, "moved", "for-ever") for cache in pairs)
    assert ours == theirs
    for cache in pairs:
        cache.version = 1
    ours, theirs = (left(cache, "counted", "moved", "for-ever") for cache in pairs)
    assert ours == theirs == [1_000_000, 0, 0]


@over("make", [SHARED[0]])
@pytest.mark.parametrize(
    ("timeout", "milliseconds"),
    [(0.25, 250), (1.9, 1900), (fractions.Fraction(1, 4), 250), (2, 2000), (0.0004, 0), (-0.5, 0),
     (None, None)],
)  # fmt: skip
def test_precision_milliseconds_keeps_fractions(
    make: Any, timeout: Any, milliseconds: int | None
) -> None:
    cache = make(OPTIONS={"PRECISION": "milliseconds"})
    cache.set("set", 1, timeout)
    cache.add("add", 1, timeout)
    cache.set_many({"many": 1}, timeout)
    cache.set("touched", 1)
    cache.touch("touched", timeout)
    for time in left(cache, "set", "add", "many", "touched"):
        assert time == (milliseconds and -(-milliseconds // 100) * 100)


@over("make", SHARED)
def test_an_overridden_get_backend_timeout_decides(make: Any) -> None:
    seen: list[Any] = []

    class Short(RedisCache):
        def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int | None:
            seen.append(timeout)
            return None if timeout == "for ever" else 7

    settings = make.backend.settings()
    cache = Short(settings["LOCATION"], settings)
    cache.set("k", 1, 300)
    cache.set("default", 1)
    cache.set("kept", 1, "for ever")
    cache.set_many({"many": 1}, 20)
    assert left(cache, "k", "default", "kept", "many") == [7000, 7000, None, 7000]
    assert seen[0] == 300
    assert seen[1] is DEFAULT_TIMEOUT
