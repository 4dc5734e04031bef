"""The async verbs: on the loop's own thread, on any number of loops, overridden or not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.utils.asyncio import async_unsafe

from backends import KEEPING, Backend

IN_LOOP = tuple(backend for backend in KEEPING if backend.in_loop)


async def every_verb(cache: Any, backend: Backend) -> None:
    """One call of each, with its answer."""
    assert await cache.aset("k", 1) is backend.said("set")
    assert await cache.aget("k") == 1
    assert await cache.aget("missing", "default") == "default"
    assert await cache.aadd("k", 2) is False
    assert await cache.aadd("new", 2) is True
    assert await cache.atouch("k", 100) is True
    assert await cache.atouch("missing", 100) is False
    assert await cache.ahas_key("k") is True
    assert await cache.aset_many({"a": 1, "b": [2]}, 100) == backend.said("set_many")
    assert await cache.aget_many(["a", "b", "c"]) == {"a": 1, "b": [2]}
    assert await cache.adelete_many(["a", "c"]) == backend.said("delete_many")
    assert await cache.aget_or_set("loaded", lambda: "x", 100) == "x"
    assert await cache.aincr("k", 4) == 5
    assert await cache.adecr("k") == 4
    assert await cache.aincr_version("k") == 2
    assert await cache.adecr_version("k", version=2) == 1
    assert await cache.adelete("k") is True
    assert await cache.adelete("k") is False
    assert await cache.aclear() is backend.said("clear")
    assert await cache.aget("b") is None
    assert await cache.aclose() is None


def test_every_async_verb_answers_as_its_sync_one(plain: Any, kind: Backend) -> None:
    asyncio.run(every_verb(plain, kind))


@pytest.mark.parametrize("kind", IN_LOOP, ids=lambda backend: backend.name, indirect=True)
def test_no_verb_uses_a_thread(plain: Any, kind: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden = mock.Mock(side_effect=AssertionError("a thread"))
    for target in (
        "hotclub.django.verbs",
        "hotclub.django.loops",
        "django.core.cache.backends.base",
    ):
        monkeypatch.setattr(f"{target}.sync_to_async", forbidden)

    async def main() -> None:
        before = threading.active_count()
        await every_verb(plain, kind)
        assert threading.active_count() == before

    asyncio.run(main())


async def loaded() -> str:
    await asyncio.sleep(0)
    return "awaited"


@pytest.mark.parametrize("loader", [loaded, lambda: loaded(), lambda: "awaited", "awaited"])
def test_aget_or_set_takes_values_functions_and_coroutine_functions(
    plain: Any, loader: Any
) -> None:
    async def main() -> None:
        assert await plain.aget_or_set("k", loader) == "awaited"
        assert await plain.aget("k") == "awaited"
        assert await plain.aget_or_set("k", lambda: pytest.fail("it is there")) == "awaited"

    asyncio.run(main())


def test_a_loader_that_fails_stores_nothing(plain: Any) -> None:
    async def fails() -> str:
        raise LookupError("no data")

    async def main() -> None:
        with pytest.raises(LookupError, match="no data"):
            await plain.aget_or_set("k", fails)
        assert await plain.aget("k") is None

    asyncio.run(main())


def test_a_loader_that_gives_none_stores_none(plain: Any) -> None:
    async def nothing() -> None:
        return None

    assert asyncio.run(plain.aget_or_set("k", nothing)) is None
    assert plain.has_key("k")


def test_one_cache_serves_loops_one_after_the_other(plain: Any, kind: Backend) -> None:
    for number in range(3):
        asyncio.run(every_verb(plain, kind))
        asyncio.run(plain.aset("number", number))
        assert asyncio.run(plain.aget("number")) == number


def test_one_cache_serves_loops_in_several_threads(plain: Any) -> None:
    async def work(name: str) -> int:
        for number in range(300):
            await plain.aset(name, [number])
            assert await plain.aget(name) == [number]
            await plain.aincr("total")
            await asyncio.sleep(0)
        return 300

    plain.set("total", 0)
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda name=name: done.append(asyncio.run(work(name))))
        for name in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (sum(done), plain.get("total")) == (900, 900)


def test_a_thousand_verbs_at_once(plain: Any) -> None:
    async def main() -> None:
        plain.set("total", 0)
        sums = await asyncio.gather(*(plain.aincr("total") for _ in range(1000)))
        assert sorted(sums) == list(range(1, 1001))
        gathered = await asyncio.gather(*(plain.aget("total") for _ in range(1000)))
        assert set(gathered) == {1000}

    asyncio.run(main())


def test_ten_thousand_cancelled_tasks_leave_the_cache_in_order(plain: Any, kind: Backend) -> None:
    async def work(number: int) -> None:
        await asyncio.sleep(0)
        # A key of their own: what a server was asked before it was cancelled may happen later.
        await plain.aset("cancelled", [number])
        await plain.aget_or_set(f"n{number % 10}", loaded)
        await asyncio.sleep(60)

    async def main() -> None:
        tasks = [asyncio.create_task(work(number)) for number in range(10_000)]
        for task in tasks[::2]:
            task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        await every_verb(plain, kind)

    asyncio.run(main())


class Query:
    """Runs a query when it is pickled, as a QuerySet does."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def __reduce__(self) -> Any:
        return self.rows()

    @async_unsafe("not in a loop")
    def rows(self) -> Any:
        self.threads.append(threading.get_ident())
        return list, ((1, 2),)


STORING: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "aset": lambda cache, value: cache.aset("k", value),
    "aadd": lambda cache, value: cache.aadd("k", value),
    "aset_many": lambda cache, value: cache.aset_many({"k": value}),
    "aget_or_set": lambda cache, value: cache.aget_or_set("k", value),
}


@pytest.mark.parametrize("store", STORING.values(), ids=list(STORING))
def test_a_value_that_asks_the_database_is_pickled_in_a_thread(plain: Any, store: Any) -> None:
    query = Query()

    async def main() -> None:
        await store(plain, query)
        assert await plain.aget("k") == [1, 2]

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(_call(query.rows))
    asyncio.run(main())
    assert len(query.threads) == 1
    assert query.threads[0] != threading.get_ident()


async def _call(function: Callable[[], Any]) -> Any:
    return function()
