"""The async verbs: tasks of one loop, each asking again and again.

The making of the tasks is in the figure, shared out over their questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import values
from kit.contestants import KEY, Contestant
from kit.measure import Entry, timed
from kit.verbs import hundred

#: Asks so many times, and gives the last answer.
Task = Callable[[int], Coroutine[Any, Any, Any]]


async def asking(verb: Callable[..., Any], arguments: tuple[Any, ...], questions: int) -> Any:
    got = None
    for _ in range(questions):
        got = await verb(*arguments)
    return got


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many tasks of a loop, and how often each of them asks in a unit of work."""

    loop: asyncio.AbstractEventLoop
    tasks: int
    questions: int

    def answers(self, task: Task, questions: int) -> list[Any]:
        return self.loop.run_until_complete(self._together(task, questions))

    async def _together(self, task: Task, questions: int) -> list[Any]:
        # Nobody is left behind asking when one fails.
        together = (task(questions) for _ in range(self.tasks))
        answers = await asyncio.gather(*together, return_exceptions=True)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if errors:
            raise errors[0]
        return answers

    def entry(self, verify: Callable[[], None], task: Task) -> Entry:
        def run(units: int) -> None:
            for _ in range(units):
                self.answers(task, self.questions)

        return Entry(verify, timed(run), calls=self.tasks * self.questions)


def named(verb: str, tasks: int, transport: str) -> str:
    return f"{verb} by {tasks} task{'s' if tasks > 1 else ''}; {transport}"


def aget(one: Contestant, crowd: Crowd, ask: Callable[..., Any] = asking) -> Entry:
    """``ask`` is what a task does with its questions."""
    cache, key, value = one.cache, one.key(KEY), one.value(values.TEXT)
    task = partial(ask, cache.aget, (key,))

    def verify() -> None:
        crowd.loop.run_until_complete(cache.aset(key, value))
        with one.asking([KEY], crowd.tasks * 3):
            for answer in crowd.answers(task, 3):
                one.verify(answer, value)
        one.verify_timeouts([KEY])

    return crowd.entry(verify, task)


def aset(one: Contestant, crowd: Crowd) -> Entry:
    cache, key, value = one.cache, one.key(KEY), one.value(values.TEXT)
    task = partial(asking, cache.aset, (key, value))

    def verify() -> None:
        one.store.forget([KEY])
        crowd.answers(task, 1)
        one.verify(crowd.loop.run_until_complete(cache.aget(key)), value)
        one.verify_timeouts([KEY])

    return crowd.entry(verify, task)


def aget_many(one: Contestant, crowd: Crowd) -> Entry:
    cache, data = one.cache, one.many(hundred())
    task = partial(asking, cache.aget_many, (list(data),))

    def verify() -> None:
        crowd.loop.run_until_complete(cache.aset_many(data))
        with one.asking(hundred(), crowd.tasks):
            for answer in crowd.answers(task, 1):
                one.verify(one.found(data, answer), data)

    return crowd.entry(verify, task)
