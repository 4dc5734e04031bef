"""Tables under event loops: verbs are statements on Django's thread, and callers come and go."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections

import programs
from backends import IN_TABLES
from callers import ask_and_cancel, ask_impatiently


@pytest.fixture(params=IN_TABLES, ids=lambda backend: backend.name)
def cache(request: pytest.FixtureRequest, configure: Any) -> Any:
    """A table in each database."""
    return configure(default=request.param.settings())["default"]


def test_cancelled_requests_and_each_answer_is_for_its_asker(cache: Any) -> None:
    values = {f"k{number}": [number, "x" * (number % 50)] for number in range(100)}
    cache.set_many(values)
    chance = random.Random(3)

    async def main() -> None:
        cancelled = 0
        while cancelled < 500:
            cancelled += await ask_and_cancel(cache.aget, values, chance)
        assert await cache.aget_many(values) == values

    asyncio.run(main())


def test_a_caller_that_does_not_wait_costs_nobody_else(cache: Any) -> None:
    asyncio.run(ask_impatiently(cache, turns=5))


def test_a_loop_that_stops_and_goes_on_finds_its_answers(cache: Any) -> None:
    cache.set("k", "value")
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(cache.aget("k"))
        loop.run_until_complete(asyncio.sleep(0))
        assert cache.get("k") == "value"
        assert loop.run_until_complete(task) == "value"


@pytest.mark.parametrize("backend", IN_TABLES, ids=lambda backend: backend.name)
def test_a_loop_may_be_closed_with_requests_in_flight(backend: Any) -> None:
    """In a program of its own: whoever answers a loop that is closed says so in its log."""
    said = programs.run(
        """
        import asyncio, gc, logging
        logging.disable(logging.CRITICAL)
        cache.set_many({str(number): number for number in range(50)})
        for pause in (0, 0, 0.001, 0.003, 0.01):
            loop = asyncio.new_event_loop()
            tasks = [loop.create_task(cache.aget(str(number))) for number in range(50)]
            for task in tasks:
                task._log_destroy_pending = False
            loop.run_until_complete(asyncio.sleep(pause))
            loop.close()
            assert asyncio.run(cache.aget_many(["1", "2"])) == {"1": 1, "2": 2}
            assert cache.get("3") == 3
            del loop, tasks, task
            gc.collect()
        print("done")
        """,
        {"default": backend.settings()},
    )
    assert said == "done\n"


def test_loops_in_several_threads_count_together(cache: Any) -> None:
    cache.set("total", 0)
    failed: list[BaseException] = []

    async def count() -> None:
        await asyncio.gather(*(cache.aincr("total") for _ in range(20)))

    def thread(run: Any) -> None:
        try:
            run()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    # One kind asks the thread that all loops share, the other its own.
    kinds = [lambda: asyncio.run(count()), async_to_sync(count)]
    threads = [threading.Thread(target=thread, args=(kinds[number % 2],)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert failed == []
    assert cache.get("total") == 80
