"""The blocking verbs, over TCP and over a unix socket.

Each loop is written out, so that nothing but the verb and the loop is timed; the loop counts for every
contestant alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import product, repeat
from typing import Any

import values
from redis_bench import rows_async, targets
from redis_bench.contestants import BLOCKING, FLOOR, TCP, UNIX, Arena, Contestant
from redis_bench.measure import Entry, Row, timed
from redis_bench.server import Placement

KEY = "user:481516"
PLACEMENTS = (Placement.SAME_CORE, Placement.OTHER_CORE)


def all_rows(arena: Arena) -> list[Row]:
    return [*_blocking(arena), *rows_async.rows(arena)]


def _blocking(arena: Arena) -> Iterable[Row]:
    verbs: dict[str, Callable[[Arena, Contestant], Entry]] = {
        targets.GET: partial(_get, value=values.TEXT),
        targets.SET: partial(_set, value=values.TEXT),
        targets.GET_DICT: partial(_get, value=values.ROW),
        targets.GET_MANY: _get_many,
        targets.SET_MANY: _set_many,
        targets.INCR: _incr,
    }
    for transport, placement, verb in product((TCP, UNIX), PLACEMENTS, verbs):
        if placement.is_possible:
            judged = placement is Placement.SAME_CORE
            yield Row(
                f"{verb}; {transport}; {placement}",
                partial(_prepare, arena, transport, verbs[verb], verb == targets.GET),
                targets.BLOCKING.get((verb, transport), {}) if judged else {},
                placed=partial(arena.server.placed, placement),
            )


def _prepare(
    arena: Arena, transport: str, entry: Callable[[Arena, Contestant], Entry], with_floor: bool
) -> dict[str, Entry]:
    names = (*BLOCKING, FLOOR) if with_floor else BLOCKING
    return {one.name: entry(arena, one) for one in arena.open(names, transport)}


def _get(arena: Arena, one: Contestant, value: Any) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def verify() -> None:
        cache.set(key, one.value(value))
        before = arena.server.hits()
        for _ in repeat(None, 3):
            one.verify(cache.get(key), one.value(value))
        asked = arena.server.hits() - before
        assert asked == 3, f"{one.name} asked the server {asked} times for 3 gets"
        one.verify_timeouts([KEY])

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get(key)

    return Entry(verify, timed(loop))


def _set(_arena: Arena, one: Contestant, value: Any) -> Entry:
    cache, key, value = one.cache, one.key(KEY), one.value(value)

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.set(key, value)

    def verify() -> None:
        one.ask.flushdb()
        loop(1)
        one.verify(cache.get(key), value)
        one.verify_timeouts([KEY])

    return Entry(verify, timed(loop))


def _hundred() -> dict[str, str]:
    return {f"user:{number:06}": f"{values.TEXT} {number}" for number in range(100)}


def _verify_many(one: Contestant, got: Any, data: dict[str, Any]) -> None:
    """redis-py has a list where the others have a dict."""
    one.verify(dict(zip(data, got, strict=True)) if one.is_raw else got, data)


def _get_many(arena: Arena, one: Contestant) -> Entry:
    cache, data = one.cache, one.many(_hundred())
    keys = list(data)

    def verify() -> None:
        cache.set_many(data)
        before = arena.server.hits()
        _verify_many(one, cache.get_many(keys), data)
        asked = arena.server.hits() - before
        assert asked == len(keys), f"{one.name} asked the server for {asked} of {len(keys)} keys"

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get_many(keys)

    return Entry(verify, timed(loop))


def _set_many(_arena: Arena, one: Contestant) -> Entry:
    cache, data = one.cache, one.many(_hundred())

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.set_many(data)

    def verify() -> None:
        one.ask.flushdb()
        loop(1)
        _verify_many(one, cache.get_many(list(data)), data)
        one.verify_timeouts(_hundred())

    return Entry(verify, timed(loop))


def _incr(_arena: Arena, one: Contestant) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.incr(key)

    def verify() -> None:
        cache.set(key, 41)
        got = cache.incr(key)
        assert got == 42, f"{one.name} gave {got!r}"
        stored = one.ask.get(f":1:{KEY}")
        assert stored == b"42", f"{one.name} left {stored!r}"
        one.verify_timeouts([KEY])

    return Entry(verify, timed(loop))
