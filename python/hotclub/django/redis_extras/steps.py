"""A verb is written once, as a generator that asks the server and is sent the replies.

``verb`` makes the blocking method of it and ``twin`` the async one; ``lines`` and ``alines`` do so for
generators that also hand out values as they come. Whoever has such methods is a ``Door``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar

from hotclub.errors import CacheConnectionError

Argument: TypeAlias = bytes | str | int | float


class Ask(NamedTuple):
    """One command, and where it goes: see ``Door._execute``."""

    arguments: Sequence[Argument]
    write: bool = True
    key_at: int = 1
    node: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds to sleep."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CountNodes:
    """How many primaries there are is wanted; 1 without a cluster."""


@dataclass(frozen=True, slots=True)
class Found:
    """Values to hand out."""

    values: Sequence[Any]


class Door(Protocol):
    """What carries commands."""

    def _execute(
        self,
        arguments: Sequence[Argument],
        *,
        write: bool = True,
        key_at: int = 1,
        node: int | None = None,
    ) -> Any: ...
    def _aexecute(
        self,
        arguments: Sequence[Argument],
        *,
        write: bool = True,
        key_at: int = 1,
        node: int | None = None,
    ) -> Awaitable[Any]: ...
    def _node_count(self) -> int: ...
    def _anode_count(self) -> Awaitable[int]: ...
    def _is_ignored(self, error: Exception) -> bool: ...


def ask(*arguments: Argument) -> Ask:
    """A command that changes something, so that the primary gets it; its key is the first argument."""
    return Ask(arguments)


def ask_to_read(*arguments: Argument) -> Ask:
    """A command that a replica may answer; its key is the first argument."""
    return Ask(arguments, write=False)


P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
#: What a verb waits for.
Step: TypeAlias = Ask | Wait | CountNodes
#: A verb that returns R.
Steps: TypeAlias = Generator[Step, Any, R]
#: A verb that hands out values.
Lines: TypeAlias = Generator[Step | Found, Any, None]


def verb(body: Callable[P, Steps[R]]) -> Callable[P, R]:
    """The blocking method of a generator. A dead server gives None where the settings say to ignore it."""

    @wraps(body)
    def blocking(*arguments: P.args, **keywords: P.kwargs) -> R:
        door: Door = arguments[0]  # type: ignore[assignment]
        steps = body(*arguments, **keywords)
        reply = None
        try:
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration as end:
                    result: R = end.value
                    return result
                reply = _sent(door, step)
        except CacheConnectionError as error:
            if not door._is_ignored(error):
                raise
            return None  # type: ignore[return-value]

    return blocking


def twin(blocking: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The async method of what ``verb`` made."""
    body: Callable[P, Steps[R]] = blocking.__wrapped__  # type: ignore[attr-defined]

    async def method(*arguments: P.args, **keywords: P.kwargs) -> R:
        door: Door = arguments[0]  # type: ignore[assignment]
        steps = body(*arguments, **keywords)
        reply = None
        try:
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration as end:
                    result: R = end.value
                    return result
                reply = await _asent(door, step)
        except CacheConnectionError as error:
            if not door._is_ignored(error):
                raise
            return None  # type: ignore[return-value]

    return _named(method, blocking)


def lines(body: Callable[P, Lines]) -> Callable[P, Iterator[Any]]:
    """The iterator of a generator that hands out values."""

    @wraps(body)
    def blocking(*arguments: P.args, **keywords: P.kwargs) -> Iterator[Any]:
        door: Door = arguments[0]  # type: ignore[assignment]
        steps = body(*arguments, **keywords)
        reply = None
        try:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield from step.values
                    reply = None
                else:
                    reply = _sent(door, step)
        except CacheConnectionError as error:
            if not door._is_ignored(error):
                raise

    return blocking


def alines(blocking: Callable[P, Iterator[Any]]) -> Callable[P, AsyncIterator[Any]]:
    """The async iterator of what ``lines`` made."""
    body: Callable[P, Lines] = blocking.__wrapped__  # type: ignore[attr-defined]

    async def method(*arguments: P.args, **keywords: P.kwargs) -> AsyncIterator[Any]:
        door: Door = arguments[0]  # type: ignore[assignment]
        steps = body(*arguments, **keywords)
        reply = None
        try:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    for value in step.values:
                        yield value
                    reply = None
                else:
                    reply = await _asent(door, step)
        except CacheConnectionError as error:
            if not door._is_ignored(error):
                raise

    return _named(method, blocking)


def _next(steps: Lines, reply: Any) -> Step | Found | None:
    try:
        return steps.send(reply)
    except StopIteration:
        return None


def _sent(door: Door, step: Step) -> Any:
    match step:
        case Wait(seconds):
            return time.sleep(seconds)
        case CountNodes():
            return door._node_count()
        case Ask(arguments, write, key_at, node):
            return door._execute(arguments, write=write, key_at=key_at, node=node)


def _asent(door: Door, step: Step) -> Awaitable[Any]:
    match step:
        case Wait(seconds):
            return asyncio.sleep(seconds)
        case CountNodes():
            return door._anode_count()
        case Ask(arguments, write, key_at, node):
            return door._aexecute(arguments, write=write, key_at=key_at, node=node)


def _named(method: Callable[P, T], blocking: Callable[..., Any]) -> Callable[P, T]:
    method.__name__ = "a" + blocking.__name__
    method.__qualname__ = blocking.__qualname__.replace(blocking.__name__, method.__name__)
    method.__doc__ = f"See ``{blocking.__name__}``."
    return method
