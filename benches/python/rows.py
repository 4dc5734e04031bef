"""The table: every operation, with the target of PERFORMANCE.md's in-process table where it has one.

Each loop is written out, so that nothing but the verb and the loop is timed; the loop counts for every
contestant alike. Each contestant's value is verified before the first slice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

import contestants
import rows_async
import rows_threads
import values
from contestants import backends, mappings, proxies, small_backends
from measure import Row, Slice, timed

KEY = "user:481516"
Prepare = Callable[[], dict[str, Slice]]


def all_rows() -> list[Row]:
    return [*_reads(), *_writes(), *_many(), *_spread(), *rows_async.rows(), *rows_threads.rows()]


def _reads() -> list[Row]:
    with_mappings = partial(_everybody, proxied=False)
    through_proxy = partial(_everybody, proxied=True)
    return [
        Row("get small str", partial(_get, with_mappings, values.TEXT), 25),
        Row("get small str through cache", partial(_get, through_proxy, values.TEXT), 5),
        Row("get miss", partial(_miss, with_mappings), 30),
        Row("get 1 KB dict", partial(_get, with_mappings, values.ROW), 4),
        Row("get 1 KB dict with dates", partial(_get, with_mappings, values.ROW_WITH_DATES)),
        Row("get 100 KB bytes", partial(_get, with_mappings, values.BODY), 40),
    ]


def _writes() -> list[Row]:
    return [
        Row("set small str", partial(_set, values.TEXT), 20),
        Row("set 1 KB dict", partial(_set, values.ROW), 5),
        Row("set small str; new keys; 300 fit", _set_evicting),
        Row("incr", _incr, 25),
        Row("delete", _delete, 25),
    ]


def _many() -> list[Row]:
    return [Row("get_many(100)", _get_many, 30), Row("set_many(100)", _set_many, 30)]


def _spread() -> list[Row]:
    return [Row("get small str; spread over 100k keys", _get_spread)]


def _everybody(proxied: bool) -> dict[str, Any]:
    """Emptied first."""
    everybody = proxies() if proxied else backends() | mappings()
    for cache in everybody.values():
        cache.clear()
    return everybody


def _loops(everybody: dict[str, Any], loop: Callable[[Any, int], None]) -> dict[str, Slice]:
    return {name: timed(partial(loop, cache)) for name, cache in everybody.items()}


def verify(name: str, got: Any, expected: Any) -> None:
    """Equal, of the same type, and a copy where the caller could change it; cachebox does not copy."""
    assert type(got) is type(expected), f"{name} gave {got!r}"
    assert got == expected, f"{name} gave {got!r}"
    copies = name in (contestants.HOTCLUB, contestants.DJANGO)
    if copies and isinstance(expected, dict):
        assert got is not expected, f"{name} gave the object itself"


def _get(open_all: Callable[[], dict[str, Any]], value: Any) -> dict[str, Slice]:
    everybody = open_all()
    for name, cache in everybody.items():
        cache.set(KEY, value)
        verify(name, cache.get(KEY), value)

    def loop(cache: Any, calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get(KEY)

    return _loops(everybody, loop)


def _miss(open_all: Callable[[], dict[str, Any]]) -> dict[str, Slice]:
    everybody = open_all()
    for name, cache in everybody.items():
        cache.set("another", values.TEXT)
        assert cache.get(KEY) is None, f"{name} has what was never set"

    def loop(cache: Any, calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get(KEY)

    return _loops(everybody, loop)


def _set(value: Any) -> dict[str, Slice]:
    everybody = _everybody(proxied=False)

    def loop(cache: Any, calls: int) -> None:
        for _ in repeat(None, calls):
            cache.set(KEY, value)

    for name, cache in everybody.items():
        loop(cache, 2)
        verify(name, cache.get(KEY), value)
    return _loops(everybody, loop)


def _set_evicting() -> dict[str, Slice]:
    """Django's own limit of 300 entries: one set in a hundred culls a third."""
    everybody = small_backends()
    keys = [f"user:{number:06}" for number in range(50_000)]

    def loop(cache: Any, calls: int) -> None:
        for key in keys[:calls]:
            cache.set(key, values.TEXT)

    for name, cache in everybody.items():
        loop(cache, 1000)
        verify(name, cache.get(keys[999]), values.TEXT)
        kept = sum(cache.get(key) is not None for key in keys[:1000])
        assert 100 <= kept <= 300, f"{name} keeps {kept} of 300"
    return {
        name: timed(lambda calls, cache=cache: loop(cache, min(calls, len(keys))))  # type: ignore[misc]
        for name, cache in everybody.items()
    }


def _incr() -> dict[str, Slice]:
    everybody = backends()

    def loop(cache: Any, calls: int) -> None:
        for _ in repeat(None, calls):
            cache.incr(KEY)

    for name, cache in everybody.items():
        cache.set(KEY, 41)
        loop(cache, 1)
        verify(name, cache.get(KEY), 42)
    return _loops(everybody, loop)


def _delete() -> dict[str, Slice]:
    """Keys that are there: a hundred at a time are set, untimed, just before they are deleted."""
    keys = list(_hundred())

    def loop(cache: Any, calls: int) -> None:
        for key in keys[:calls]:
            cache.delete(key)

    def one_slice(cache: Any, calls: int) -> float:
        seconds = 0.0
        for done in range(0, calls, len(keys)):
            for key in keys:
                cache.set(key, values.TEXT)
            seconds += timed(partial(loop, cache))(min(len(keys), calls - done))
        return seconds

    everybody = _everybody(proxied=False)
    for name, cache in everybody.items():
        cache.set(KEY, values.TEXT)
        cache.delete(KEY)
        assert cache.get(KEY) is None, f"{name} did not delete"
    return {name: partial(one_slice, cache) for name, cache in everybody.items()}


def _hundred() -> dict[str, str]:
    return {f"user:{number:06}": f"{values.TEXT} {number}" for number in range(100)}


def _get_many() -> dict[str, Slice]:
    everybody, data = backends(), _hundred()
    keys = list(data)
    for name, cache in everybody.items():
        cache.clear()
        cache.set_many(data)
        verify(name, cache.get_many(keys), data)

    def loop(cache: Any, calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get_many(keys)

    return _loops(everybody, loop)


def _set_many() -> dict[str, Slice]:
    everybody, data = backends(), _hundred()

    def loop(cache: Any, calls: int) -> None:
        for _ in repeat(None, calls):
            cache.set_many(data)

    for name, cache in everybody.items():
        cache.clear()
        loop(cache, 1)
        verify(name, cache.get_many(list(data)), data)
    return _loops(everybody, loop)


SPREAD = 100_000


def _get_spread() -> dict[str, Slice]:
    """Keys in an order of their own, so that each lookup waits for memory; no target."""
    everybody = _everybody(proxied=False)
    keys = [f"user:{number * 7919 % SPREAD:06}" for number in range(SPREAD)]
    for cache in everybody.values():
        for key in sorted(keys):
            cache.set(key, key)
    for name, cache in everybody.items():
        assert all(cache.get(key) == key for key in keys), f"{name} lost a value"
    places = dict.fromkeys(everybody, 0)

    def loop(name: str, calls: int) -> None:
        cache, start = everybody[name], places[name]
        for key in keys[start : start + calls]:
            cache.get(key)

    def one_slice(name: str, calls: int) -> float:
        places[name] = (places[name] + calls) % (SPREAD - calls)
        return timed(partial(loop, name))(calls)

    return {name: partial(one_slice, name) for name in everybody}
