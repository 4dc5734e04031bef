"""The blocking verbs over TCP and over a unix socket; the async ones over TCP.

Django's async verbs are the blocking ones in a thread, which all tasks of a program share outside of
a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from kit import tasks, verbs
from kit.contestants import TCP, Contestant
from kit.measure import LONG, Entry, Row
from kit.tasks import Crowd
from memcached_bench import targets
from memcached_bench.contestants import Arena

ASYNC: dict[str, Callable[[Contestant, Crowd], Entry]] = {
    "aget": tasks.aget,
    "aset": tasks.aset,
    "aget_many(100)": tasks.aget_many,
}
#: (verb, tasks): questions that a task asks in a unit of work.
QUESTIONS = {
    ("aget", 1): 200,
    ("aget", 100): 20,
    ("aget", 300): 20,
    ("aset", 100): 20,
    ("aget_many(100)", 100): 1,
}


def all_rows(arena: Arena) -> Iterable[Row]:
    def opened(verb: str, transport: str) -> Iterable[Contestant]:
        return arena.open(transport, with_floor=verb == verbs.GET)

    yield from verbs.rows(verbs.COMMON, opened, arena.servers.placed, targets.BLOCKING)
    # One for all rows: connections of an asyncio client belong to a loop.
    loop = asyncio.new_event_loop()
    for (verb, many), questions in QUESTIONS.items():
        yield Row(
            tasks.named(verb, many, TCP),
            partial(_prepare, arena, ASYNC[verb], Crowd(loop, many, questions)),
            targets.ASYNC.get((verb, many), {}),
            wall_targets={},
            efforts=LONG,
        )


def _prepare(
    arena: Arena, entry: Callable[[Contestant, Crowd], Entry], crowd: Crowd
) -> dict[str, Entry]:
    return {one.name: entry(one, crowd) for one in arena.open(TCP)}
