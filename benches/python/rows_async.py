"""``aget`` of a hot key by a hundred tasks of one event loop, each asking a hundred times.

The making of the tasks is in the figure, for every contestant alike. Django answers in a thread, one call
after the other; CPU of that thread counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import values
from contestants import backends
from measure import Row, Slice, timed

TASKS = 100
TIMES = 100
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

    return {name: partial(one_slice, partial(run, cache)) for name, cache in everybody.items()}


def one_slice(run: Callable[[int], None], _calls: int) -> float:
    """Seconds a question: tasks ask equally often, so that their own cost is shared out alike."""
    return timed(run)(TIMES) / (TASKS * TIMES)


ROW = Row("aget by 100 tasks; 100 each", prepare, 300, most_rounds=9, most_calls=1)
