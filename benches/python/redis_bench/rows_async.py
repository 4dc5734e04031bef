"""``aget`` of a hot key by one task, by 100 and by 300 tasks of one loop, each asking again and again.

The making of the tasks is in the figure, shared out over their questions. Django's RedisCache and
django-redis answer in a thread. Outside of a request all tasks share one, which costs them less
as a rule and is what targets are judged by; the ASGI handler gives each request a thread of its own, which
needs as many connections and fails at 300 tasks with the pool that redis-py makes by default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

from asgiref.sync import ThreadSensitiveContext

import values
from redis_bench import targets
from redis_bench.contestants import ASYNC, ASYNC_WIDE, DELAYED, TCP, Arena, Contestant
from redis_bench.measure import Entry, Row, timed

KEY = "user:481516"
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
        for tasks in QUESTIONS:
            name = f"aget by {tasks} task{'s' if tasks > 1 else ''}; {transport}"
            prepare = partial(_prepare, arena, loop, transport, tasks)
            cpu = targets.ASYNC_CPU.get((tasks, transport), {})
            wall = targets.ASYNC_WALL.get((tasks, transport), {})
            yield Row(name, prepare, cpu, wall_targets=wall)


def _prepare(
    arena: Arena, loop: asyncio.AbstractEventLoop, transport: str, tasks: int
) -> dict[str, Entry]:
    names = ASYNC + ASYNC_WIDE if tasks > POOL else ASYNC
    everybody = arena.open(names, transport)
    few = transport == DELAYED

    def questions(one: Contestant) -> int:
        return (FEW_QUESTIONS if few and one.is_one_thread else QUESTIONS)[tasks]

    return {one.name: _entry(arena, one, loop, tasks, questions(one)) for one in everybody}


def _entry(
    arena: Arena, one: Contestant, loop: asyncio.AbstractEventLoop, tasks: int, questions: int
) -> Entry:
    key, value = one.key(KEY), one.value(values.TEXT)
    task = _ask_in_a_thread_of_its_own if one.has_thread_a_task else _ask

    async def together(times: int) -> list[Any]:
        asking = (task(one.cache, key, times) for _ in range(tasks))
        # Nobody is left behind asking when one fails.
        answers = await asyncio.gather(*asking, return_exceptions=True)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if errors:
            raise errors[0]
        return answers

    def verify() -> None:
        loop.run_until_complete(one.cache.aset(key, value))
        before = arena.server.hits()
        for answer in loop.run_until_complete(together(3)):
            one.verify(answer, value)
        asked = arena.server.hits() - before
        assert asked == tasks * 3, f"{one.name} asked the server {asked} of {tasks * 3} times"
        one.verify_timeouts([KEY])

    def run(units: int) -> None:
        for _ in range(units):
            loop.run_until_complete(together(questions))

    return Entry(verify, timed(run), calls=tasks * questions)


async def _ask(cache: Any, key: str, questions: int) -> Any:
    got = None
    for _ in range(questions):
        got = await cache.aget(key)
    return got


async def _ask_in_a_thread_of_its_own(cache: Any, key: str, questions: int) -> Any:
    async with ThreadSensitiveContext():
        return await _ask(cache, key, questions)
