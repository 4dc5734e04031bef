"""Event loops and Redis: what Memcached has not. What both have is in ``test_loops``."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from hotclub import errors

from redis_clients import Clients
from servers import RedisOptions, RedisServer


@pytest.mark.parametrize("verb", ["attl", "apttl", "apersist"])
def test_an_async_verb_of_redis_outside_of_a_loop_says_so(
    configure: Any, redis_server: RedisServer, verb: str
) -> None:
    cache = configure(default=Clients(redis_server).settings())["default"]
    with pytest.raises(RuntimeError, match="outside of an event loop"):
        getattr(cache, verb)("k").send(None)


def test_credentials_are_asked_for_in_a_thread_and_within_a_limit(configure: Any) -> None:
    """A callable that talks to a secret store must not hold up the loop, nor a request for ever."""
    with RedisServer(RedisOptions(password="secret")) as server:
        asked: list[threading.Thread] = []

        def credentials(seconds: float) -> tuple[str, str]:
            asked.append(threading.current_thread())
            time.sleep(seconds)
            return "default", "secret"

        def cache(seconds: float) -> Any:
            options = {"CREDENTIALS": lambda: credentials(seconds), "CONNECT_LIMIT": 1}
            settings = Clients(server).settings(0, **options)
            settings["LOCATION"] = f"redis://{server.address}"
            return configure(default=settings)["default"]

        async def ticks_while(what: Coroutine[Any, Any, Any]) -> tuple[Any, int]:
            ticks, task = 0, asyncio.ensure_future(what)
            while not task.done():
                await asyncio.sleep(0.02)
                ticks += 1
            return task, ticks

        task, ticks = asyncio.run(ticks_while(cache(0.2).aget("key", "missing")))
        assert task.result() == "missing"
        assert ticks >= 3
        assert asked
        assert threading.main_thread() not in asked

        began = time.monotonic()
        task, ticks = asyncio.run(ticks_while(cache(2).aget("key")))
        assert isinstance(task.exception(), errors.CacheConnectionError)
        assert "the credentials callable took longer than 1 s" in str(task.exception())
        assert ticks >= 3
        # The loop's end waits for its threads.
        assert time.monotonic() - began < 10
