"""``aget`` of a hot key: by one task that asks again and again, and by a hundred tasks of one loop.

The making of the tasks is in the figure, shared out over their questions. Django answers in a thread, one
call after the other; CPU of that thread counts. With a hundred tasks that thread always finds work, so a
call is cheaper than one alone; on a busy machine it is dearer again.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import values
from contestants import DJANGO, HOTCLUB, backends
from measure import Row, Slice, timed

#: Questions in all in a slice: long enough to time, short enough to wait for.
QUESTIONS = {HOTCLUB: 200_000, DJANGO: 2_000}
KEY = "user:481516"


async def ask(cache: Any, times: int) -> Any:
    got = None
    for _ in range(times):
        got = await cache.aget(KEY)
    return got


async def ask_together(cache: Any, tasks: int, times: int) -> list[Any]:
    return await asyncio.gather(*(ask(cache, times) for _ in range(tasks)))


def prepare(tasks: int) -> dict[str, Slice]:
    loop = asyncio.new_event_loop()
    everybody = backends()
    for name, cache in everybody.items():
        cache.set(KEY, values.TEXT)
        got = loop.run_until_complete(ask_together(cache, tasks, 2))
        assert got == [values.TEXT] * tasks, f"{name} gave {got!r}"

    def run(cache: Any, times: int) -> None:
        loop.run_until_complete(ask_together(cache, tasks, times))

    def one_slice(name: str, _calls: int) -> float:
        times = QUESTIONS[name] // tasks
        return timed(partial(run, everybody[name]))(times) / (tasks * times)

    return {name: partial(one_slice, name) for name in everybody}


def rows() -> list[Row]:
    named = {"aget by one task": 1, "aget by 100 tasks": 100}
    return [
        Row(name, partial(prepare, tasks), 300, most_rounds=15, most_calls=1)
        for name, tasks in named.items()
    ]
