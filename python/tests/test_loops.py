"""Event loops and servers: few connections, many loops, cancelled requests, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.utils import timezone

import programs
from callers import ask_and_cancel, ask_impatiently
from clocks import auntil, until
from memcached_clients import MemcachedClients
from memcached_servers import MemcachedOptions, MemcachedServer
from packages import need_package
from redis_clients import Clients as RedisClients
from servers import RedisServer

Clients = RedisClients | MemcachedClients

#: Two for each loop and server; a third may be on its way out.
A_HANDFUL = 4
MEGABYTE = 1 << 20
#: What the largest values here fit into.
ROOMY = MemcachedOptions(memory=1024, max_item_size="128m")


@pytest.fixture(params=["redis", "memcached"])
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Whose connections are counted."""
    if request.param == "redis":
        with RedisServer() as redis:
            yield RedisClients(redis)
    else:
        with MemcachedServer(ROOMY) as memcached:
            yield MemcachedClients(memcached)


def until_few(clients: Clients, most: int = A_HANDFUL) -> None:
    """A server may take a while to notice who is gone."""
    until(lambda: clients.connected <= most)


@pytest.fixture
def cache(configure: Any, clients: Clients) -> Any:
    """A cache of those."""
    return configure(default=clients.settings())["default"]


def _uvloop() -> Any:
    return need_package("uvloop").new_event_loop()


def _debugging() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    # A slow machine is no news here.
    loop.slow_callback_duration = 60
    return loop


def _eager() -> asyncio.AbstractEventLoop:
    if sys.version_info < (3, 12):
        pytest.skip("tasks start eagerly from Python 3.12 on")
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS: dict[str, Callable[[], Any]] = {
    "asyncio": asyncio.new_event_loop,
    "debug": _debugging,
    "eager": _eager,
    "uvloop": _uvloop,
}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a coroutine on a loop of each kind."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


async def work(cache: Any, own: int, turns: int = 10) -> None:
    """Verbs of all kinds on keys of one's own."""
    for turn in range(turns):
        key = f"{own}-{turn % 3}"
        await cache.aset(key, [own, turn])
        assert await cache.aget(key) == [own, turn]
        assert await cache.aget_many([key, "missing"]) == {key: [own, turn]}
        assert await cache.aadd(key, 1) is False
        await cache.aset_many({f"{key}a": turn, f"{key}b": "x" * own})
        assert await cache.aincr(f"{key}a", own) == turn + own
        assert await cache.aget(f"{key}b") == "x" * own
        assert await cache.adelete(f"{key}a") is True
        assert await cache.ahas_key(f"{key}a") is False


def test_three_hundred_tasks_share_a_handful_of_connections(
    run: Any, cache: Any, clients: Clients
) -> None:
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, clients.connected)
            await asyncio.sleep(0.01)

    async def main() -> None:
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(work(cache, own, turns=3) for own in range(300)))
        most_at_last = clients.connected
        watching.cancel()
        assert 0 < most_at_last <= A_HANDFUL

    run(main())
    assert 0 < most <= A_HANDFUL


def test_loops_one_after_another_leave_no_connections(cache: Any, clients: Clients) -> None:
    for number in range(20):
        asyncio.run(work(cache, number, turns=2))
        until_few(clients)
    cache.get("k")
    gc.collect()
    # The blocking door's own may stay.
    until_few(clients)


def test_loops_in_several_threads_at_once(cache: Any, clients: Clients) -> None:
    failures: list[BaseException] = []

    async def main(number: int) -> None:
        await asyncio.gather(*(work(cache, number * 100 + own, turns=5) for own in range(20)))

    def thread(number: int) -> None:
        try:
            for _ in range(3):
                asyncio.run(main(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        # Blocking verbs beside them.
        cache.set("blocking", {"a": [1]})
        assert cache.get("blocking") == {"a": [1]}
    assert failures == []
    until_few(clients, 4 * A_HANDFUL)


def test_a_loop_may_be_closed_with_requests_in_flight(cache: Any, clients: Clients) -> None:
    cache.set_many({str(number): number for number in range(100)})
    for turn in range(5):
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(cache.aget(str(number))) for number in range(100)]
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        # As far as one tick, until they are sent, or until some are answered.
        loop.run_until_complete(asyncio.sleep([0, 0, 0.001, 0.003, 0.01][turn]))
        loop.close()
        assert asyncio.run(cache.aget_many(["1", "2"])) == {"1": 1, "2": 2}
        assert cache.get("3") == 3
        del loop, tasks, task
        gc.collect()
    until_few(clients)


def test_a_loop_that_stops_and_goes_on_finds_its_answers(cache: Any) -> None:
    cache.set("k", "value")
    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(cache.aget("k"))
        loop.run_until_complete(asyncio.sleep(0))
        time.sleep(0.02)
        assert loop.run_until_complete(task) == "value"
    finally:
        loop.close()


def test_ten_thousand_cancelled_requests_and_each_answer_is_for_its_asker(
    run: Any, cache: Any, clients: Clients
) -> None:
    values = {f"k{number}": [number, "x" * (number % 50)] for number in range(500)}
    cache.set_many(values)
    chance = random.Random(3)

    async def ask(key: str) -> Any:
        if chance.random() < 0.2:
            return (await cache.aget_many([key, "missing"]))[key]
        return await cache.aget(key)

    async def main() -> None:
        cancelled = 0
        while cancelled < (1000 if asyncio.get_running_loop().get_debug() else 10_000):
            cancelled += await ask_and_cancel(ask, values, chance, asked_at_once=250)
        for key, value in values.items():
            assert await cache.aget(key) == value

        async def few() -> bool:
            return clients.connected <= A_HANDFUL

        await auntil(few)

    run(main())


def test_a_request_that_times_out_for_its_caller_costs_nobody_else(cache: Any) -> None:
    asyncio.run(ask_impatiently(cache))


def test_a_cancelled_write_that_was_not_sent_is_not_sent_later(cache: Any) -> None:
    async def main() -> None:
        await cache.aget("connected")
        tasks = [asyncio.create_task(cache.aset("k", ["x" * 100, n])) for n in range(5000)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cache.aset("k", "last")
        for _ in range(20):
            assert await cache.aget("k") == "last"
            await asyncio.sleep(0.001)

    asyncio.run(main())


def test_a_large_value_does_not_hold_up_small_ones(run: Any, cache: Any) -> None:
    large = b"x" * (20 * MEGABYTE)
    cache.set("small", 1)

    async def while_it_moves(moving: Coroutine[Any, Any, Any]) -> tuple[Any, int, float]:
        """What came of it, how many small values came meanwhile, and how long the slowest took."""
        task = asyncio.ensure_future(moving)
        await asyncio.sleep(0)
        count, slowest = 0, 0.0
        while not task.done():
            began = time.monotonic()
            assert await cache.aget("small") == 1
            slowest = max(slowest, time.monotonic() - began)
            count += not task.done()
        return await task, count, slowest

    async def main() -> None:
        for _ in range(2):
            assert (await while_it_moves(cache.aset("large", large)))[0] is None
            value, _, slowest = await while_it_moves(cache.aget("large"))
            assert value == large
            assert slowest < 5
        for _ in range(20):
            if (await while_it_moves(cache.aset("large", large)))[1] > 0:
                return
        pytest.fail("no small value came while the large one was sent")

    run(main())


def test_a_large_reply_does_not_hold_up_what_is_asked_after_it_began(cache: Any) -> None:
    cache.set("large", b"x" * (60 * MEGABYTE))
    cache.set("small", 1)

    async def main() -> int:
        task = asyncio.create_task(cache.aget("large"))
        # Those asked before its first byte is there wait for all of it.
        small, before = [], 0
        while not task.done():
            small.append(asyncio.create_task(cache.aget("small")))
            await asyncio.sleep(0.003)
            if not task.done():
                before = sum(one.done() for one in small)
        assert len(await task) == 60 * MEGABYTE
        assert await asyncio.gather(*small) == [1] * len(small)
        return before

    assert any(asyncio.run(main()) > 1 for _ in range(20))


def test_many_large_and_small_values_at_once_are_not_mixed_up(cache: Any) -> None:
    async def large(number: int) -> None:
        value = bytes([number]) * (5 * MEGABYTE)
        await cache.aset(f"large{number}", value)
        assert await cache.aget(f"large{number}") == value

    async def main() -> None:
        await asyncio.gather(
            *(large(number) for number in range(8)), *(work(cache, own) for own in range(50))
        )

    asyncio.run(main())


ASYNC_VERBS: dict[str, tuple[Any, ...]] = {
    "aget": ("k",), "aset": ("k", 1), "aadd": ("k", 1), "atouch": ("k",), "adelete": ("k",), "aincr": ("k",),
    "ahas_key": ("k",), "aget_many": (["k"],), "aset_many": ({"k": 1},), "adelete_many": (["k"],),
    "aclear": (), "aget_or_set": ("k", 1), "aincr_version": ("k",),
}  # fmt: skip


@pytest.mark.parametrize("verb", ASYNC_VERBS)
def test_an_async_verb_outside_of_a_loop_says_so(cache: Any, verb: str) -> None:
    waiting = getattr(cache, verb)(*ASYNC_VERBS[verb])
    with pytest.raises(RuntimeError, match="outside of an event loop"):
        waiting.send(None)


@pytest.mark.parametrize("verb", ["aset", "aadd", "aset_many", "aget_or_set"])
def test_a_deferred_query_set_is_run_where_it_may_be(cache: Any, database: Any, verb: str) -> None:
    Session.objects.all().delete()
    for name in ("Stéphane", "Django"):
        Session.objects.create(session_key=name, expire_date=timezone.now())

    async def main() -> None:
        rows = Session.objects.order_by("session_key")
        await getattr(cache, verb)(*(({"k": rows},) if verb == "aset_many" else ("k", rows)))

    async_to_sync(main)()
    assert [session.session_key for session in cache.get("k")] == ["Django", "Stéphane"]


def test_a_loop_is_collected_and_its_connections_are_closed(cache: Any, clients: Clients) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work(cache, 1))
    assert clients.connected > 0
    gone = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()
    assert gone() is None
    clients.all_gone()


def _let_go(kept: list[Any]) -> None:
    kept.clear()
    gc.collect()


def test_a_loop_that_was_never_closed_is_collected_too(cache: Any, clients: Clients) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work(cache, 1))
    gone = weakref.ref(loop)
    loops = [loop]
    del loop
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        _let_go(loops)
    assert gone() is None
    clients.all_gone()


def test_nothing_is_left_unclosed_or_said_at_the_end(clients: Clients) -> None:
    said = programs.run(
        """
        import asyncio, gc, logging
        # Slow machines are no news, and below errors.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        async def use(number):
            await cache.aset("k", number)
            assert await cache.aget("k") == number
            for one in asyncio.as_completed([cache.aget("k") for _ in range(10)]):
                assert await one == number
        for number in range(3):
            asyncio.run(use(number), debug=True)
        cache.get("k")
        loop = asyncio.new_event_loop()
        loop.run_until_complete(use(4))
        loop.close()
        gc.collect()
        print("done")
        """,
        {"default": clients.settings()},
        silent=True,
    )
    assert said == "done\n"


def test_a_cache_that_is_used_in_a_loop_and_beside_it_has_two_kinds_of_connections(
    cache: Any, clients: Clients
) -> None:
    async def main() -> None:
        await cache.aset("k", 1)
        # Blocking, in the loop's own thread: allowed, as Django's own class allows it.
        assert cache.get("k") == 1
        cache.set("k", 2)
        assert await cache.aget("k") == 2
        assert await asyncio.to_thread(cache.get, "k") == 2

    asyncio.run(main())
    until_few(clients)
