"""The verbs on a disk and in memory, where file systems cost least; a set among many files; async verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from itertools import product

from file_bench import targets
from file_bench.contestants import DISK, FEW, MANY, SOME, Arena
from kit import tasks, verbs
from kit.measure import LONG, Entry, Row
from kit.tasks import Crowd

VERBS = (*verbs.COMMON, verbs.SET_NEW)
#: Tasks: questions that each of them asks in a unit of work.
QUESTIONS = {1: 200, 100: 20}


def all_rows(arena: Arena) -> Iterable[Row]:
    for place, verb in product(arena.places, VERBS):
        judged = targets.VERBS.get(verb, {}) if place == DISK else {}
        prepare = partial(_prepare, arena, verb, place)
        yield Row(f"{verb}; {place}", prepare, judged, wall_targets={})
        if verb == verbs.SET:
            # Django's MAX_ENTRIES is 300 by default: its class has fewer names to list then.
            prepare = partial(_prepare, arena, verb, place, FEW)
            yield Row(f"{verb} among {FEW}; {place}", prepare, wall_targets={})
    flat = f"{verbs.SET} among {SOME} and {MANY}; {DISK}"
    yield Row(flat, partial(_prepare_many, arena), targets.FLAT, wall_targets={})
    loop = asyncio.new_event_loop()
    for many, questions in QUESTIONS.items():
        yield Row(
            tasks.named("aget", many, DISK),
            partial(_prepare_async, arena, Crowd(loop, many, questions)),
            wall_targets={},
            efforts=LONG,
        )


def _prepare(arena: Arena, verb: str, place: str, entries: int = SOME) -> dict[str, Entry]:
    return verbs.entries(verb, arena.open(place, entries))


def _prepare_many(arena: Arena) -> dict[str, Entry]:
    return verbs.entries(verbs.SET, arena.open_with_many(DISK))


def _prepare_async(arena: Arena, crowd: Crowd) -> dict[str, Entry]:
    return {one.name: tasks.aget(one, crowd) for one in arena.open(DISK)}
