"""Callers that go away, cancelled or not willing to wait: each answer is for its asker all the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any


async def ask_and_cancel(
    ask: Callable[[str], Coroutine[Any, Any, Any]],
    values: dict[str, Any],
    chance: random.Random,
    asked_at_once: int = 100,
) -> int:
    """Ask for many of these values, and cancel most of it; how many were cancelled."""
    keys = chance.sample(list(values), asked_at_once)
    asked = {key: asyncio.create_task(ask(key)) for key in keys}
    await asyncio.sleep(chance.choice([0, 0, 0, 0.0002, 0.001]))
    doomed = [task for task in asked.values() if chance.random() < 0.8]
    cancelled = sum(task.cancel() for task in doomed)
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    for key, answer in zip(asked, answers, strict=True):
        assert isinstance(answer, asyncio.CancelledError) or answer == values[key]
    return cancelled


async def ask_impatiently(cache: Any, turns: int = 10, patience: float = 0.0003) -> None:
    """Ask for what is under the names of 50 numbers; many do not wait for the answer."""
    await cache.aset_many({str(number): number for number in range(50)})

    async def impatient(number: int) -> int | None:
        try:
            return await asyncio.wait_for(cache.aget(str(number)), patience * (number % 5))
        except TimeoutError:
            return None

    for _ in range(turns):
        answers = await asyncio.gather(*(impatient(number) for number in range(50)))
        assert all(answer in (None, number) for number, answer in enumerate(answers))
    assert await cache.aget("49") == 49
