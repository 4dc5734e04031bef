"""Event loops and Memcached: fleets, nodes that pause, die or lie, and cancelled requests."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from hotclub import errors

from clocks import auntil
from fault_proxy import CutAfter, Delay, Fault, FaultProxy, Garbage, Passing
from load import Load, survives_restarts
from memcached_clients import MEMCACHED
from memcached_servers import MemcachedFleet, MemcachedServer

#: Of the aliases here, in seconds.
LIMIT = 0.9
QUICK = {"CONNECT_LIMIT": LIMIT, "REPLY_LIMIT": LIMIT, "BREAKER": 0.1}
VALUES = {f"k{number}": [number, "x" * number] for number in range(90)}


@pytest.fixture
def to(configure: Any) -> Callable[..., Any]:
    """``to(address, **options)``: a cache on one node or several."""

    def made(location: Any, **options: Any) -> Any:
        settings = {"BACKEND": MEMCACHED, "LOCATION": location, "OPTIONS": options}
        return configure(default=settings)["default"]

    return made


def kept_by(server: MemcachedServer) -> list[str]:
    """The keys that a node has."""
    return [key for key in VALUES if server.command(f"mg :1:{key}") == "HD"]


async def all_gotten(cache: Any, keys: Any) -> list[Any]:
    """What one task for each key gets, or what it raises."""
    return await asyncio.gather(*(cache.aget(key) for key in keys), return_exceptions=True)


def test_the_many_verbs_share_their_work_out_to_three_nodes(
    to: Any, memcached_fleet: MemcachedFleet
) -> None:
    cache = to(memcached_fleet.addresses)

    async def main() -> None:
        assert await cache.aset_many(VALUES) == []
        kept = [kept_by(server) for server in memcached_fleet.servers]
        assert all(kept)
        assert sorted(key for keys in kept for key in keys) == sorted(VALUES)
        assert await cache.aget_many([*VALUES, "missing"]) == VALUES
        assert await all_gotten(cache, VALUES) == list(VALUES.values())
        await cache.adelete_many([kept[0][0], kept[1][0], "missing"])
        assert set(await cache.aget_many(VALUES)) == set(VALUES) - {kept[0][0], kept[1][0]}
        await cache.aclear()
        assert await cache.aget_many(VALUES) == {}
        assert [server.stat("curr_items") for server in memcached_fleet.servers] == ["0"] * 3

    asyncio.run(main())


def test_three_slow_nodes_are_asked_at_once(to: Any, memcached_fleet: MemcachedFleet) -> None:
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(FaultProxy(server.port)) for server in memcached_fleet.servers
        ]
        cache = to([proxy.address for proxy in proxies])

        async def main() -> None:
            assert await cache.aset_many(VALUES) == []
            for proxy in proxies:
                assert proxy.accepted > 0
                proxy.set(Delay(1))
            for verb, argument, answer in (
                ("aget_many", VALUES, VALUES),
                ("aset_many", VALUES, []),
            ):
                began = time.monotonic()
                assert await getattr(cache, verb)(argument) == answer
                assert 1 <= time.monotonic() - began < 2.5

        asyncio.run(main())


def test_a_paused_node_costs_a_hundred_tasks_one_limit(
    to: Any, memcached_fleet: MemcachedFleet
) -> None:
    cache, paused = to(memcached_fleet.addresses, **QUICK), memcached_fleet.servers[1]

    async def main() -> None:
        await cache.aset_many(VALUES)
        untouched, *there = kept_by(paused)
        others = sorted(set(VALUES) - {untouched, *there})
        paused.pause()
        began = time.monotonic()
        asked = ((there + others) * 2)[:100]
        answers = await all_gotten(cache, asked)
        assert answers == [None if key in there else VALUES[key] for key in asked]
        assert time.monotonic() - began < 3 * LIMIT
        # By now it is known: what cannot be had is missing, what cannot be stored is told.
        assert await cache.aget_many(VALUES) == {key: VALUES[key] for key in others}
        data = {key: "new" for key in VALUES if key != untouched}
        assert sorted(await cache.aset_many(data)) == sorted(there)
        for key in there:
            with pytest.raises(errors.CacheConnectionError, match=paused.address):
                await cache.adelete(key)
        assert time.monotonic() - began < 8 * LIMIT
        paused.resume()

        async def is_back() -> bool:
            # Before and after it is: what was deleted meanwhile is not read.
            assert await cache.aget_many(there) == {}
            return bool(await cache.aget(untouched) == VALUES[untouched])

        await auntil(is_back)
        assert await all_gotten(cache, there) == [None] * len(there)
        assert await cache.aget_many(others) == dict.fromkeys(others, "new")
        assert await cache.aset_many(VALUES) == []
        assert await cache.aget_many(VALUES) == VALUES

    asyncio.run(main())


CANCELLED: dict[str, tuple[Any, ...]] = {
    "adelete": ("k",), "adelete_many": (["k", "other"],), "atouch": ("k", -1), "aclear": (),
    "aset": ("k", "new"), "aset_many": ({"k": "new"},),
}  # fmt: skip


@pytest.mark.parametrize("verb", CANCELLED)
@pytest.mark.parametrize("ticks", [1, 2, 5])
def test_what_a_cancelled_verb_was_to_end_is_not_read_again(
    to: Any, memcached_server: MemcachedServer, verb: str, ticks: int
) -> None:
    """Whether it was sent or not, and by whichever connection is read next."""
    cache = to(memcached_server.address)

    async def main() -> None:
        for read in (lambda: cache.aget("k"), lambda: asyncio.to_thread(cache.get, "k")):
            await cache.aset("k", "old")
            memcached_server.pause()
            task = asyncio.create_task(getattr(cache, verb)(*CANCELLED[verb]))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            memcached_server.resume()
            # A write that was sent may have come about.
            assert await read() in ((None, "new") if "set" in verb else (None,))
            await cache.aset("k", "newest")
            assert await read() == "newest"

    asyncio.run(main())


def test_what_is_settled_late_takes_nothing_newer_away(
    to: Any, memcached_server: MemcachedServer
) -> None:
    cache, chance = to(memcached_server.address), random.Random(7)

    async def main() -> None:
        for turn in range(500):
            await cache.aset("k", turn)
            task = asyncio.create_task(cache.adelete("k"))
            for _ in range(chance.choice([1, 1, 2, 3])):
                await asyncio.sleep(0)
            cancelled = task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert cancelled or task.result() is True
            if chance.random() < 0.5:
                assert await cache.aget("k") is None
            await cache.aset("k", "newer")
            assert cache.get("k") == await cache.aget("k") == "newer"

    asyncio.run(main())


@pytest.mark.parametrize(
    "fault",
    [
        Garbage(b"nonsense\r\n"),
        Garbage(b"\xff\x00" * 100),
        Garbage(b"VA 5 f0 k7\r\nabcdefg\r\n"),
        Garbage(b"VA 99999999999999999999 f0\r\n"),
        Garbage(b"SERVER_ERROR out of order\r\n"),
        CutAfter(0),
        CutAfter(9),
        CutAfter(300),
    ],
    ids=repr,
)
def test_a_spoiled_reply_ends_its_connection_and_nothing_else(
    to: Any, memcached_fleet: MemcachedFleet, fault: Fault
) -> None:
    server, *others = memcached_fleet.servers
    with FaultProxy(server.port) as proxy:
        location = [proxy.address, *(other.address for other in others)]
        cache = to(location, ABSENT_NODES="raise", **QUICK)

        async def main() -> None:
            assert await cache.aset_many(VALUES) == []
            spoiled, accepted = kept_by(server), proxy.accepted
            proxy.set(fault)
            for _ in range(2):
                answers = dict(zip(VALUES, await all_gotten(cache, VALUES), strict=True))
                failed = {key for key in VALUES if isinstance(answers[key], errors.CacheError)}
                assert failed
                assert failed <= set(spoiled)
                assert all(answers[key] == VALUES[key] for key in VALUES if key not in failed)
            proxy.set(Passing())

            async def is_back() -> bool:
                return await all_gotten(cache, spoiled) == [VALUES[key] for key in spoiled]

            await auntil(is_back)
            assert proxy.accepted > accepted
            assert await cache.aget_many(VALUES) == VALUES

        asyncio.run(main())


def test_killed_and_restarted_under_load(to: Any) -> None:
    with MemcachedServer() as server:
        survives_restarts(to(server.address, ABSENT_NODES="raise", **QUICK), server)


def test_paused_under_load(to: Any, memcached_server: MemcachedServer) -> None:
    with Load(to(memcached_server.address, ABSENT_NODES="raise", **QUICK)) as load:
        load.works()
        memcached_server.pause()
        load.fails()
        memcached_server.resume()
        load.works()
