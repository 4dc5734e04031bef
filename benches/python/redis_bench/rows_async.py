"""``aget`` of a hot key by one task, by 100 and by 300 tasks of one loop, each asking again and again.

Django's RedisCache and django-redis answer in a thread. Outside of a request all tasks share one, which
costs them less as a rule and is what targets are judged by; the ASGI handler gives each request a thread of
its own, which needs as many connections and fails at 300 tasks with the pool that redis-py makes by default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

from asgiref.sync import ThreadSensitiveContext

from kit import tasks
from kit.contestants import TCP, Contestant
from kit.measure import LONG, Entry, Row
from kit.tasks import Crowd
from redis_bench import targets
from redis_bench.contestants import (
    ASYNC,
    ASYNC_WIDE,
    DELAYED,
    Arena,
    has_thread_a_task,
    is_one_thread,
)

#: redis-py's pools allow this many connections by default.
POOL = 100
#: Questions a task asks in a unit of work.
QUESTIONS = {1: 200, 100: 20, 300: 20}
#: Where one thread answers all, and each answer is a millisecond late.
FEW_QUESTIONS = {1: 50, 100: 4, 300: 4}


def rows(arena: Arena) -> Iterable[Row]:
    # One for all rows: connections of an asyncio client belong to a loop.
    loop = asyncio.new_event_loop()
    for transport in (TCP, DELAYED):
        for many in QUESTIONS:
            prepare = partial(_prepare, arena, loop, transport, many)
            cpu = targets.ASYNC_CPU.get((many, transport), {})
            wall = targets.ASYNC_WALL.get((many, transport), {})
            yield Row(
                tasks.named("aget", many, transport),
                prepare,
                cpu,
                wall_targets=wall,
                efforts=LONG,
            )


def _prepare(
    arena: Arena, loop: asyncio.AbstractEventLoop, transport: str, many: int
) -> dict[str, Entry]:
    names = ASYNC + ASYNC_WIDE if many > POOL else ASYNC

    def entry(one: Contestant) -> Entry:
        few = transport == DELAYED and is_one_thread(one.name)
        crowd = Crowd(loop, many, (FEW_QUESTIONS if few else QUESTIONS)[many])
        alone = has_thread_a_task(one.name)
        return tasks.aget(one, crowd, _asking_in_a_thread_of_its_own if alone else tasks.asking)

    return {one.name: entry(one) for one in arena.open(names, transport)}


async def _asking_in_a_thread_of_its_own(*question: Any) -> Any:
    async with ThreadSensitiveContext():
        return await tasks.asking(*question)
