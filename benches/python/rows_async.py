"""``aget`` of a hot key by a hundred tasks of one event loop, each asking many times.

The making of the tasks is in the figure, shared out over their questions. Django answers in a thread, one
call after the other; CPU of that thread counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import values
from contestants import DJANGO, HOTCLUB, backends
from measure import Row, Slice, timed

TASKS = 100
#: Questions a task, so that a slice is long enough to time and short enough to wait for.
TIMES = {HOTCLUB: 2_000, DJANGO: 20}
KEY = "user:481516"


async def ask(cache: Any, times: int) -> Any:
    got = None
    for _ in range(times):
        got = await cache.aget(KEY)
    return got


async def ask_together(cache: Any, times: int) -> list[Any]:
    return await asyncio.gather(*(ask(cache, times) for _ in range(TASKS)))


def prepare() -> dict[str, Slice]:
    loop = asyncio.new_event_loop()
    everybody = backends()
    for name, cache in everybody.items():
        cache.set(KEY, values.TEXT)
        got = loop.run_until_complete(ask_together(cache, 2))
        assert got == [values.TEXT] * TASKS, f"{name} gave {got!r}"

    def run(cache: Any, calls: int) -> None:
        loop.run_until_complete(ask_together(cache, calls))

    return {
        name: partial(one_slice, partial(run, cache), TIMES[name])
        for name, cache in everybody.items()
    }


def one_slice(run: Callable[[int], None], times: int, _calls: int) -> float:
    return timed(run)(times) / (TASKS * times)


ROW = Row("aget by 100 tasks", prepare, 300, most_rounds=21, most_calls=1)
