"""Four threads against one: the same gets in all, on the same store.

With one interpreter lock more threads cannot be faster; they must not be slower either, which a lock
held across a switch of threads would make them. CPU is judged; wall time is shown, since waiting costs none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

import values
from contestants import DJANGO, HOTCLUB, backends
from measure import Row, Slice

KEY = "user:481516"
ONE, FOUR = "one thread", "four threads"
#: Long enough for the interpreter to switch threads a few times.
GETS = {HOTCLUB: 400_000, DJANGO: 20_000}


def rows() -> list[Row]:
    return [
        row(HOTCLUB, "CPU", time.process_time, 0.9),
        row(HOTCLUB, "wall", time.perf_counter, None),
        row(DJANGO, "CPU", time.process_time, None),
    ]


def row(name: str, clock_name: str, clock: Callable[[], float], target: float | None) -> Row:
    return Row(
        f"4 threads to 1; {name}; {clock_name}",
        lambda: prepare(name, clock),
        target,
        yardstick=ONE,
        candidate=FOUR,
        most_rounds=11,
        most_calls=1,
    )


def prepare(name: str, clock: Callable[[], float]) -> dict[str, Slice]:
    cache = backends()[name]
    cache.set(KEY, values.TEXT)
    assert cache.get(KEY) == values.TEXT
    return {
        label: partial(one_slice, cache, clock, threads, GETS[name] // threads)
        for label, threads in ((ONE, 1), (FOUR, 4))
    }


def one_slice(
    cache: Any, clock: Callable[[], float], threads: int, gets: int, _calls: int
) -> float:
    started = [threading.Thread(target=get, args=(cache, gets)) for _ in range(threads)]
    began = clock()
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return (clock() - began) / (threads * gets)


def get(cache: Any, gets: int) -> None:
    for _ in repeat(None, gets):
        cache.get(KEY)
