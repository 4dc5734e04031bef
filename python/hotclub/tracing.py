"""The execution table: what a block of code asked its caches, step by step."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypedDict

from hotclub import _hotclub

#: The table that the verbs of this context (thread or task) write into. Read by the Rust verbs.
current: ContextVar[_hotclub.Trace | None] = ContextVar("hotclub.tracing.current", default=None)


class Row(TypedDict):
    """One step. ``time`` is in seconds; texts are empty where a column does not apply."""

    step: int
    action: str
    backend: str
    get_result: str
    set_action: str
    output: str
    time: float
    tier: str


class Table:
    """An execution table; ``str()`` prints it, ``rows`` gives it as data.

    Columns: Step, Action, Cache backend, Cache get result, Cache set action, Output, Time, and Tier
    where tiers answered.
    """

    def __init__(self) -> None:
        self._trace = _hotclub.Trace()

    @property
    def rows(self) -> list[Row]:
        """The steps so far, as dicts."""
        return self._trace.rows

    def step(self, action: str, output: str = "") -> None:
        """Add a step that is no cache call: a check, an answer."""
        self._trace.step(action, output, 0.0)

    @contextmanager
    def timed(self, action: str, output: str = "") -> Iterator[None]:
        """Add a step that is no cache call and takes time: generating."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._trace.step(action, output, time.perf_counter() - began)

    def __str__(self) -> str:
        return str(self._trace)

    def __len__(self) -> int:
        return len(self._trace)


class trace:
    """Record the cache calls of this thread or task, on every hotclub cache.

    ::

        with hotclub.trace() as table:
            page = cache.get("page")
            table.step("check: page is None", output=str(page is None))
        print(table)

    Off, it costs the verbs one load of a number. Recordings nest: the innermost one gets the steps.
    Tasks that are started inside the block write into the same table. Use an object once.
    """

    def __enter__(self) -> Table:
        table = Table()
        self._token = current.set(table._trace)
        _hotclub.Trace.enter()
        return table

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _hotclub.Trace.leave()
        current.reset(self._token)


@contextmanager
def generating() -> Iterator[None]:
    """The steps "check" and "generate" of a ``get_or_set`` that missed, if a table is being recorded."""
    table = current.get()
    if table is None:
        yield
        return
    table.step("check: the value is None", "True", 0.0)
    began = time.perf_counter()
    try:
        yield
    finally:
        table.step("generate the value", "", time.perf_counter() - began)


def told(backend: str, action: str, kind: str, verb: Callable[[], Any]) -> Any:
    """Do a cache call that runs in Python, and write its row if a table is being recorded."""
    table = current.get()
    if table is None:
        return verb()
    began = time.perf_counter()
    column, text = "output", ""
    try:
        value = verb()
        column, text = _told(kind, value)
        return value
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        raise
    finally:
        table.call(backend, action, column, text, time.perf_counter() - began)


async def awaited(backend: str, action: str, kind: str, answer: Awaitable[Any]) -> Any:
    """Await the answer of a cache call and write its row: what the Rust verbs do for the blocking ones."""
    table = current.get()
    began = time.perf_counter()
    column, text = "output", ""
    try:
        value = await answer
        column, text = _told(kind, value)
        return value
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        raise
    finally:
        if table is not None:
            table.call(backend, action, column, text, time.perf_counter() - began)


async def awaited_get(
    backend: str, action: str, answer: Awaitable[Any], missing: object, default: Any
) -> Any:
    """The same for ``get``: a miss is None in the table, whatever its default."""

    async def got() -> Any:
        value = await answer
        return None if value is missing else (value,)

    found = await awaited(backend, action, "found", got())
    return default if found is None else found[0]


async def awaited_quietly(backend: str, action: str, kind: str, answer: Awaitable[Any]) -> None:
    """The same for verbs that return nothing: the table tells what came of them."""
    await awaited(backend, action, kind, answer)


def shown(value: Any) -> str:
    """An object's repr, cut before it is long; its class if it has none."""
    try:
        return repr(value)[:200]
    except Exception:
        return str(type(value))


def stored(timeout: float | None) -> str:
    """What a write with this timeout did, in the words of the Rust verbs."""
    if timeout is None:
        return "stored, no timeout"
    if timeout <= 0:
        return "not kept: the timeout is zero or negative"
    return f"stored, timeout {float(timeout):g} s"


def _told(kind: str, value: Any) -> tuple[str, str]:
    match kind:
        case "found":
            return "get_result", "None" if value is None else shown(value[0])
        case "words":
            return "set_action", value
        case "deleted_many":
            return "set_action", f"{value or 0} deleted"
        case "got":
            return "get_result", shown(value)
        case "written":
            return "set_action", "not stored: it exists" if value is False else "stored"
        case "deleted":
            return "set_action", "deleted" if value else "nothing to delete"
        case "cleared":
            return "set_action", "all removed"
        case "stored_many":
            return "set_action", f"not stored: {value!r}"[:200] if value else "stored"
        case "output":
            return "output", shown(value)
        case _:  # what the write does, in words
            return "set_action", "not stored" if value is False else kind
