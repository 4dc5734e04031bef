"""When it breaks: bounded time, an error with the server's name, recovery by itself, no second ``incr``."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import InvalidCacheBackendError
from hotclub import errors

from fault_proxy import FaultProxy, Swallow
from load import Load, survives_restarts
from packages import need_package
from redis_breaking import (
    LIMIT,
    QUICK,
    VERBS,
    bounded,
    failing,
    nobody,
    recovers,
)
from redis_clients import REDIS
from servers import RedisServer

# No server.


@pytest.mark.parametrize("verb", VERBS)
def test_founding_13_without_a_server_the_first_operation_names_server_and_cause(
    to: Any, verb: str
) -> None:
    address = nobody()
    error = failing(to(address), verb)
    assert isinstance(error, errors.CacheConnectionError)
    assert isinstance(error, need_package("redis.exceptions").ConnectionError)
    assert isinstance(error, ConnectionError)
    assert address in str(error)
    assert "refused" in str(error)
    assert str(error).startswith("redis: ")


def test_an_unknown_host_and_a_missing_socket_are_named(to: Any, tmp_path: Path) -> None:
    error = failing(to("cache.invalid:6379", CONNECT_LIMIT=2))
    assert "cache.invalid:6379" in str(error)
    error = failing(to(f"unix://{tmp_path}/no-socket"))
    assert f"{tmp_path}/no-socket" in str(error)
    assert "no such file" in str(error)


@pytest.fixture
def full_backlog() -> Iterator[str]:
    """An address that neither accepts nor refuses."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        for one in waiting:
            one.close()


def test_a_server_that_does_not_accept_costs_the_connect_limit(to: Any, full_backlog: str) -> None:
    cache = to(full_backlog)
    began = time.monotonic()
    error = failing(cache)
    assert time.monotonic() - began > LIMIT * 0.9
    assert isinstance(error, (errors.CacheTimeoutError, TimeoutError))
    assert isinstance(error, need_package("redis.exceptions").TimeoutError)
    assert full_backlog in str(error)
    assert f"within {LIMIT} s" in str(error)


def test_a_wrong_backend_name_is_no_connection_error(configure: Any) -> None:
    settings = {"BACKEND": "hotclub.django.RedisCash", "LOCATION": f"redis://{nobody()}"}
    with pytest.raises(InvalidCacheBackendError) as caught:
        configure(default=settings)["default"].get("k")
    assert not isinstance(caught.value, (OSError, errors.CacheError))


def test_many_calls_to_a_dead_server_cost_one_limit_and_not_one_each(
    to: Any, fault_proxy: FaultProxy
) -> None:
    cache = to(fault_proxy.address, BREAKER=5)
    cache.set("k", 1)
    fault_proxy.set(Swallow())
    with bounded():
        for _ in range(200):
            with pytest.raises(errors.CacheTimeoutError):
                cache.get("k")


# Killed, restarted, paused.


def test_a_restart_while_nothing_is_asked_is_not_noticed(
    to: Any, redis_server: RedisServer
) -> None:
    cache = to(redis_server.address)
    cache.set_many({"k": 1, "n": 1}, None)
    for verb in VERBS:
        redis_server.restart()
        redis_server.ask_all(("SELECT", 1), ("SET", ":1:k", 5))
        if verb in ("incr", "add") and hasattr(cache, "runner"):
            # A loop that does not run does not see that its connection is gone; this one runs.
            cache.runner.run(asyncio.sleep(0.02))
        getattr(cache, verb)(*VERBS[verb])


def test_a_connection_that_the_server_closed_is_not_noticed(
    to: Any, redis_server: RedisServer
) -> None:
    cache = to(redis_server.address)
    cache.set("k", 0, None)
    for number in range(1, 20):
        redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
        if hasattr(cache, "runner"):
            cache.runner.run(asyncio.sleep(0.02))
        assert cache.incr("k") == number
        redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
        assert cache.get("k") == number


def test_killed_and_restarted_under_load(configure: Any) -> None:
    with RedisServer() as server:
        settings = {"BACKEND": REDIS, "LOCATION": server.url_db(1), "OPTIONS": QUICK}
        cache = configure(default=settings)["default"]
        survives_restarts(cache, server)


def test_paused_under_load(configure: Any, redis_server: RedisServer) -> None:
    settings = {"BACKEND": REDIS, "LOCATION": redis_server.url_db(1), "OPTIONS": QUICK}
    cache = configure(default=settings)["default"]
    with Load(cache) as load:
        load.works()
        for pause in (0.1, LIMIT * 2):
            redis_server.pause()
            time.sleep(pause)
            redis_server.resume()
            load.works()


def test_a_paused_server_costs_the_reply_limit_and_is_back_when_it_goes_on(
    to: Any, redis_server: RedisServer
) -> None:
    cache = to(redis_server.address)
    cache.set("k", "value")
    redis_server.pause()
    for verb in ("get", "set", "get_many"):
        error = failing(cache, verb)
        assert isinstance(error, errors.CacheTimeoutError)
        assert isinstance(error, need_package("redis.exceptions").TimeoutError)
        assert redis_server.address in str(error)
        assert f"no reply within {LIMIT} s" in str(error)
    redis_server.resume()
    recovers(cache)
