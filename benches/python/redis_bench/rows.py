"""The blocking verbs, over TCP and over a unix socket, then the async ones."""

from __future__ import annotations

from collections.abc import Iterable

from kit import verbs
from kit.contestants import FLOOR, Contestant
from kit.measure import Row
from redis_bench import rows_async, targets
from redis_bench.contestants import BLOCKING, Arena

VERBS = (verbs.GET, verbs.SET, verbs.GET_DICT, verbs.GET_MANY, verbs.SET_MANY, verbs.INCR)


def all_rows(arena: Arena) -> Iterable[Row]:
    def opened(verb: str, transport: str) -> Iterable[Contestant]:
        return arena.open((*BLOCKING, FLOOR) if verb == verbs.GET else BLOCKING, transport)

    yield from verbs.rows(VERBS, opened, arena.server.placed, targets.BLOCKING)
    yield from rows_async.rows(arena)
