"""The blocking verbs.

Each loop is written out, so that nothing but the verb and the loop is timed; the loop counts for every
contestant alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from itertools import product, repeat
from typing import Any

import values
from sockets.contestants import KEY, TCP, UNIX, Contestant
from sockets.measure import Cost, Entry, Row, Targets, timed
from sockets.programs import Placement

GET, SET, GET_DICT, GET_MISS = "get small str", "set small str", "get 1 KB dict", "get miss"
GET_MANY, SET_MANY, INCR, DELETE = "get_many(100)", "set_many(100)", "incr", "delete"
PLACEMENTS = (Placement.SAME_CORE, Placement.OTHER_CORE)

#: Who takes part in a verb over a transport.
Opened = Callable[[str, str], Iterable[Contestant]]
#: Keeps client and server where the placement says.
Placed = Callable[[Placement], AbstractContextManager[None]]


def rows(
    verbs: Iterable[str], opened: Opened, placed: Placed, judged: dict[tuple[str, str], Targets]
) -> Iterable[Row]:
    """Every verb over both transports in both placements; targets are for the server on the same core."""
    for transport, placement, verb in product((TCP, UNIX), PLACEMENTS, verbs):
        if placement.is_possible:
            targets = judged.get((verb, transport), {})
            yield Row(
                f"{verb}; {transport}; {placement}",
                partial(_prepare, verb, transport, opened),
                targets if placement is Placement.SAME_CORE else {},
                placed=partial(placed, placement),
            )


def _prepare(verb: str, transport: str, opened: Opened) -> dict[str, Entry]:
    return {one.name: _ENTRIES[verb](one) for one in opened(verb, transport)}


def hundred() -> dict[str, str]:
    return {f"user:{number:06}": f"{values.TEXT} {number}" for number in range(100)}


def _get(one: Contestant, value: Any) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def verify() -> None:
        cache.set(key, one.value(value))
        before = one.store.hits()
        for _ in repeat(None, 3):
            one.verify(cache.get(key), one.value(value))
        one.verify_questions(one.store.hits() - before, 3)
        one.verify_timeouts([KEY])

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get(key)

    return Entry(verify, timed(loop))


def _get_miss(one: Contestant) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get(key)

    def verify() -> None:
        one.store.forget([KEY])
        before = one.store.misses()
        loop(3)
        one.verify_questions(one.store.misses() - before, 3)
        one.verify(cache.get(key), None)

    return Entry(verify, timed(loop))


def _set(one: Contestant) -> Entry:
    cache, key, value = one.cache, one.key(KEY), one.value(values.TEXT)

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.set(key, value)

    def verify() -> None:
        one.store.forget([KEY])
        loop(1)
        one.verify(cache.get(key), value)
        one.verify_timeouts([KEY])

    return Entry(verify, timed(loop))


def _get_many(one: Contestant) -> Entry:
    cache, data = one.cache, one.many(hundred())
    keys = list(data)

    def verify() -> None:
        cache.set_many(data)
        before = one.store.hits()
        one.verify(one.found(keys, cache.get_many(keys)), data)
        one.verify_questions(one.store.hits() - before, len(keys))

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.get_many(keys)

    return Entry(verify, timed(loop))


def _set_many(one: Contestant) -> Entry:
    cache, data = one.cache, one.many(hundred())

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.set_many(data)

    def verify() -> None:
        one.store.forget(hundred())
        loop(1)
        one.verify(one.found(data, cache.get_many(list(data))), data)
        one.verify_timeouts(hundred())

    return Entry(verify, timed(loop))


def _incr(one: Contestant) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.incr(key)

    def verify() -> None:
        cache.set(key, 41)
        got = cache.incr(key)
        assert got == 42, f"{one.name} gave {got!r}"
        stored = one.store.stored(KEY)
        assert stored == b"42", f"{one.name} left {stored!r}"
        one.verify_timeouts([KEY])

    return Entry(verify, timed(loop))


def _delete(one: Contestant) -> Entry:
    """Of keys that are there: a hundred at a time are set, untimed, just before they are deleted."""
    cache, data = one.cache, one.many(hundred())
    keys = list(data)

    def loop(_times: int) -> None:
        for key in keys:
            cache.delete(key)

    delete_all = timed(loop)

    def one_slice(units: int) -> Cost:
        costs = []
        for _ in repeat(None, units):
            cache.set_many(data)
            costs.append(delete_all(1))
        return Cost(sum(cost.cpu for cost in costs), sum(cost.wall for cost in costs))

    def verify() -> None:
        cache.set_many(data)
        one.verify(cache.delete(keys[0]), True)
        one.verify(cache.delete(keys[0]), False)
        one_slice(1)
        left = [key for key in hundred() if one.store.stored(key) is not None]
        assert not left, f"{one.name} did not delete {left}"

    return Entry(verify, one_slice, calls=len(keys))


_ENTRIES: dict[str, Callable[[Contestant], Entry]] = {
    GET: partial(_get, value=values.TEXT),
    GET_DICT: partial(_get, value=values.ROW),
    GET_MISS: _get_miss,
    SET: _set,
    GET_MANY: _get_many,
    SET_MANY: _set_many,
    INCR: _incr,
    DELETE: _delete,
}
