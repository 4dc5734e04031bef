"""Timeouts on a server: whole seconds in Django's dialect, thousandths in that of django-redis."""

from __future__ import annotations

import decimal
import fractions
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.utils.module_loading import import_string

from backends import SERVED, node_at, redis_of_the_topics
from calls import outcome
from doors import over
from memcached_servers import MemcachedServer
from test_timeouts import KEPT, KEPT_IN_PROCESS, NOT_KEPT, REFUSED

# The server refuses to let an entry end so long ago; ours does not ask it to.
OVER = [timeout for timeout in NOT_KEPT if timeout > -(2**60)]
MORE = [float("-inf"), 0.5, 1.9, 1.9996, 0.0004, "1.5", decimal.Decimal(2)]
ALL = [*KEPT, *KEPT_IN_PROCESS, *OVER, *REFUSED, *MORE]


def left(cache: Any, *keys: str, location: str = "") -> list[int | None]:
    """The time that entries have, in ms and tenths of a second; None for ever, 0 for what is not there."""
    location = location or _location(getattr(cache, "behind", cache))
    full = [cache.make_key(key) for key in keys]
    if "://" not in location:
        return [_left_on(node_at(location), key) for key in full]
    number = int(location.rpartition("/")[2])
    _, *times = redis_of_the_topics().ask_all(("SELECT", number), *(("PTTL", key) for key in full))
    return [{-1: None, -2: 0}.get(rest, -(-rest // 100) * 100) for rest in times]


def _left_on(node: MemcachedServer, key: str) -> int | None:
    match node.command(f"mg {key} t").split():
        case ["EN"]:
            return 0
        case ["HD", seconds]:
            return None if seconds == "t-1" else int(seconds[1:]) * 1000
        case told:
            raise AssertionError(told)


def _location(cache: Any) -> str:
    """The LOCATION of its alias."""
    named = (alias for alias in settings.CACHES if caches[alias] is cache)
    return str(settings.CACHES[next(named)]["LOCATION"])


def same(pair: Any, work: Callable[[Any], Any], **more: Any) -> Any:
    """What comes of work with ours, which is what comes of it with theirs."""
    for _ in range(3):
        ours, theirs = map(work, pair(**more))
        if ours == theirs:
            break
        # The server's clock goes on between the two, on a busy machine by some tenths of a second: once more.
    assert ours == theirs
    return ours


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


@over("pair", SERVED)
@pytest.mark.parametrize("timeout", ALL, ids=repr)
def test_a_timeout_means_what_it_means_to_the_class_replaced(pair: Any, timeout: Any) -> None:
    same(pair, lambda cache: roads(cache, timeout))


@over("pair", SERVED)
@pytest.mark.parametrize("setting", [None, 300, "60", "abc", 1.9, 0.9, 0, -1], ids=repr)
def test_the_timeout_setting_means_the_same(pair: Any, setting: Any) -> None:
    same(pair, lambda cache: roads(cache, DEFAULT_TIMEOUT), TIMEOUT=setting)


@over("pair", SERVED)
def test_what_is_counted_or_moved_has_the_time_that_it_has_there(pair: Any) -> None:
    def work(cache: Any) -> list[int | None]:
        cache.set_many({"counted": 1, "moved": 1}, 1000)
        cache.set("for-ever", 1, None)
        for key in ("counted", "for-ever"):
            assert cache.incr(key, 5) == 6
        assert cache.incr_version("moved") == cache.incr_version("for-ever") == 2
        cache.version = 2
        moved = left(cache, "moved", "for-ever")
        cache.version = 1
        return moved + left(cache, "counted", "moved", "for-ever")

    *_, counted, moved, for_ever = same(pair, work)
    assert 995_000 - pair.backend.early * 1000 <= counted <= 1_000_000
    assert moved == for_ever == 0


@over("make", [SERVED[0]])
@pytest.mark.parametrize(
    ("timeout", "milliseconds"),
    [(0.25, 250), (1.9, 1900), (fractions.Fraction(1, 4), 250), (2, 2000), (0.0004, 0), (-0.5, 0),
     (None, None)],
)  # fmt: skip
def test_precision_milliseconds_keeps_fractions(
    make: Any, timeout: Any, milliseconds: int | None
) -> None:
    cache = make(OPTIONS={"PRECISION": "milliseconds"})
    began = time.monotonic()
    cache.set("set", 1, timeout)
    cache.add("add", 1, timeout)
    cache.set_many({"many": 1}, timeout)
    cache.set("touched", 1)
    cache.touch("touched", timeout)
    found = left(cache, "set", "add", "many", "touched")
    spent = (time.monotonic() - began) * 1000
    if not milliseconds:
        assert found == [milliseconds] * 4
        return
    for rest in found:
        assert rest is not None
        assert milliseconds - spent <= rest < milliseconds + 100


@over("make", SERVED)
def test_an_overridden_get_backend_timeout_decides(make: Any) -> None:
    seen: list[Any] = []

    class Short(import_string(make.backend.path)):  # type: ignore[misc]
        def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int | None:
            seen.append(timeout)
            if timeout == "for ever":
                return make.backend.never
            return 7000

    alias = make.backend.settings()
    cache = Short(alias["LOCATION"], alias)
    cache.set("k", 1, 300)
    cache.set("default", 1)
    cache.set("kept", 1, "for ever")
    cache.set_many({"many": 1}, 20)
    kept, *times = left(cache, "kept", "k", "default", "many", location=alias["LOCATION"])
    assert kept is None
    soonest = 6_995_000 - make.backend.early * 1000
    assert all(soonest <= rest <= 7_000_000 for rest in times)
    assert seen[0] == 300
    assert seen[1] is DEFAULT_TIMEOUT
