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
from kit.contestants import KEY, TCP, UNIX, Contestant
from kit.measure import Cost, Entry, Row, Slice, Targets, timed
from kit.programs import Placement

GET, SET, GET_DICT, GET_MISS = "get small str", "set small str", "get 1 KB dict", "get miss"
GET_MANY, SET_MANY, INCR, DELETE = "get_many(100)", "set_many(100)", "incr", "delete"
SET_NEW, ADD, TOUCH, DELETE_MANY = "set a new key", "add a new key", "touch", "delete_many(100)"
#: What every room's rows begin with.
COMMON = (GET, SET, GET_DICT, GET_MISS, GET_MANY, SET_MANY, INCR, DELETE)
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
    return entries(verb, opened(verb, transport))


def entries(verb: str, contestants: Iterable[Contestant]) -> dict[str, Entry]:
    return {one.name: _ENTRIES[verb](one) for one in contestants}


def hundred() -> dict[str, str]:
    return {f"user:{number:06}": f"{values.TEXT} {number}" for number in range(100)}


def _get(one: Contestant, value: Any) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def verify() -> None:
        cache.set(key, one.value(value))
        with one.asking([KEY], 3):
            for _ in repeat(None, 3):
                one.verify(cache.get(key), one.value(value))
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
        with one.asking([KEY], 3, found=False):
            loop(3)
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
        with one.asking(hundred()):
            one.verify(one.found(keys, cache.get_many(keys)), data)

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


def _after(prepare: Callable[[], object], work: Slice) -> Slice:
    """Before each unit of work something that is not timed."""

    def one_slice(units: int) -> Cost:
        costs = []
        for _ in repeat(None, units):
            prepare()
            costs.append(work(1))
        return Cost(sum(cost.cpu for cost in costs), sum(cost.wall for cost in costs))

    return one_slice


def _delete(one: Contestant) -> Entry:
    """Of keys that are there: a hundred at a time are set, untimed, just before they are deleted."""
    cache, data = one.cache, one.many(hundred())
    keys = list(data)

    def loop(_times: int) -> None:
        for key in keys:
            cache.delete(key)

    one_slice = _after(lambda: cache.set_many(data), timed(loop))

    def verify() -> None:
        cache.set_many(data)
        one.verify(cache.delete(keys[0]), True)
        one.verify(cache.delete(keys[0]), False)
        one_slice(1)
        _verify_gone(one)

    return Entry(verify, one_slice, calls=len(keys))


def _delete_many(one: Contestant) -> Entry:
    """As :func:`_delete`."""
    cache, data = one.cache, one.many(hundred())
    keys = list(data)
    one_slice = _after(lambda: cache.set_many(data), timed(lambda _times: cache.delete_many(keys)))

    def verify() -> None:
        one_slice(1)
        _verify_gone(one)

    return Entry(verify, one_slice)


def _verify_gone(one: Contestant) -> None:
    left = [key for key in hundred() if one.store.stored(key) is not None]
    assert not left, f"{one.name} did not delete {left}"


def _new(one: Contestant, store: Callable[[str, Any], object]) -> Entry:
    """Of keys that are not there: a hundred at a time are deleted, untimed, before they are stored."""
    cache, data = one.cache, one.many(hundred())
    keys, items = list(data), list(data.items())

    def loop(_times: int) -> None:
        for key, value in items:
            store(key, value)

    one_slice = _after(lambda: cache.delete_many(keys), timed(loop))

    def verify() -> None:
        one_slice(1)
        one.verify(one.found(data, cache.get_many(keys)), data)
        one.verify_timeouts(hundred())

    return Entry(verify, one_slice, calls=len(keys))


def _touch(one: Contestant) -> Entry:
    cache, key = one.cache, one.key(KEY)

    def loop(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.touch(key)

    def verify() -> None:
        cache.set(key, one.value(values.TEXT), 10)
        one.verify(cache.touch(key), True)
        one.verify(cache.get(key), one.value(values.TEXT))
        one.verify_timeouts([KEY])

    return Entry(verify, timed(loop))


_ENTRIES: dict[str, Callable[[Contestant], Entry]] = {
    GET: partial(_get, value=values.TEXT),
    GET_DICT: partial(_get, value=values.ROW),
    GET_MISS: _get_miss,
    SET: _set,
    GET_MANY: _get_many,
    SET_MANY: _set_many,
    INCR: _incr,
    DELETE: _delete,
    DELETE_MANY: _delete_many,
    SET_NEW: lambda one: _new(one, one.cache.set),
    ADD: lambda one: _new(one, one.cache.add),
    TOUCH: _touch,
}
