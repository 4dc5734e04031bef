"""Replies that are late, cut, garbage or a refusal: an error each, and no second ``incr``."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hotclub import errors

from fault_proxy import CutAfter, Delay, FaultProxy, Garbage, Passing, Swallow
from packages import need_package
from redis_breaking import (
    LIMIT,
    bounded,
    failing,
    recovers,
    tried,
)
from servers import RedisOptions, RedisServer

# Replies that are not what they should be.

GARBAGE = {
    "text": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "zeros": bytes(10_000),
    "no line end": b"+OK",
    "another type": b":5\r\n:5\r\n",
    "too long a value": b"$999999999999999\r\n",
    "too long an array": b"*1000000000\r\n",
    "negative": b"$-5\r\n*-7\r\n",
    "nested": b"*1\r\n" * 10_000,
    "more than was asked for": b"+OK\r\n" * 100,
    "half a value": b"$5\r\nab",
    "letters for a length": b"$abc\r\n",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage_is_an_error_and_then_it_works_again(
    to: Any, fault_proxy: FaultProxy, content: bytes
) -> None:
    cache = to(fault_proxy.address)
    cache.set("k", [1])
    fault_proxy.set(Garbage(content))
    for _ in range(3):
        with bounded():
            found = tried(lambda: cache.get("k"))
        if found is None:
            # A null is a null: nobody can tell.
            assert content.startswith(b"$-")
        else:
            assert isinstance(found, errors.CacheError)
            assert isinstance(found, need_package("redis.exceptions").RedisError)
            assert fault_proxy.address in str(found)
    fault_proxy.set(Passing())
    recovers(cache)


@pytest.mark.parametrize("count", [0, 1, 3, 6, 9])
def test_a_reply_cut_off_is_asked_for_once_more(
    to: Any, fault_proxy: FaultProxy, count: int
) -> None:
    cache = to(fault_proxy.address)
    cache.set("k", "value" * 5)
    fault_proxy.set(CutAfter(count))
    accepted = fault_proxy.accepted
    error = failing(cache)
    assert isinstance(error, errors.CacheConnectionError)
    assert fault_proxy.address in str(error)
    assert fault_proxy.accepted - accepted <= 2
    fault_proxy.set(Passing())
    recovers(cache)


def test_a_connection_cut_once_is_not_noticed_by_reads(to: Any, fault_proxy: FaultProxy) -> None:
    cache = to(fault_proxy.address)
    cache.set("k", "value")
    for _ in range(20):
        fault_proxy.cut()
        assert cache.get("k") == "value"
        fault_proxy.cut()
        assert cache.get_many(["k"]) == {"k": "value"}


@pytest.mark.parametrize(
    "fault", [CutAfter(0), CutAfter(2), Swallow(), Garbage(b"?\r\n")], ids=repr
)
@pytest.mark.parametrize("verb", ["incr", "decr"])
def test_incr_is_never_sent_twice(
    to: Any, fault_proxy: FaultProxy, redis_server: RedisServer, fault: Any, verb: str
) -> None:
    cache = to(fault_proxy.address)
    cache.set("k", 100)
    # The script is known to the server, so that one request is one step.
    assert getattr(cache, verb)("k", 0) == 100
    for turn in range(1, 4):
        fault_proxy.set(fault)
        with bounded(), pytest.raises(errors.AmbiguousError) as caught:
            getattr(cache, verb)("k")
        assert isinstance(caught.value, need_package("redis.exceptions").TimeoutError)
        fault_proxy.set(Passing())
        recovers(cache)
        stored = int(redis_server.ask_all(("SELECT", 1), ("GET", ":1:k"))[1])
        assert abs(stored - 100) <= turn


def test_a_black_hole_costs_the_reply_limit(to: Any, fault_proxy: FaultProxy) -> None:
    cache = to(fault_proxy.address)
    fault_proxy.set(Swallow())
    for verb in ("get", "set", "clear"):
        assert isinstance(failing(cache, verb), errors.CacheTimeoutError)
    fault_proxy.set(Passing())
    recovers(cache)


def test_a_slow_server_is_waited_for_up_to_the_limit(to: Any, fault_proxy: FaultProxy) -> None:
    cache = to(fault_proxy.address, REPLY_LIMIT=5)
    cache.set("k", "value")
    fault_proxy.set(Delay(0.2))
    assert cache.get("k") == "value"
    assert cache.incr("n") if cache.add("n", 0) else False
    fault_proxy.set(Passing())
    assert cache.get_many(["k", "n"]) == {"k": "value", "n": 1}


def test_a_late_reply_is_given_to_nobody(to: Any, fault_proxy: FaultProxy) -> None:
    cache = to(fault_proxy.address, BREAKER=0)
    cache.set_many({str(number): [number] for number in range(30)})
    for number in range(4):
        fault_proxy.set(Delay(LIMIT * 1.5))
        with pytest.raises(errors.CacheTimeoutError):
            cache.get(str(number))
        fault_proxy.set(Passing())
        for other in range(10, 30):
            assert cache.get(str(other)) == [other]


# The server says no.


def test_a_wrong_password_is_told_and_not_shown(to: Any) -> None:
    with RedisServer(RedisOptions(password="right")) as server:
        for location, code in (
            (f"redis://:wr0ng@{server.address}/1", "WRONGPASS"),
            (f"redis://{server.address}/1", "NOAUTH"),
        ):
            for verb in ("get", "set", "incr"):
                error = failing(to(location), verb)
                assert isinstance(error, errors.AuthenticationError)
                assert isinstance(error, need_package("redis.exceptions").AuthenticationError)
                assert server.address in str(error)
                assert code in str(error)
                assert "wr0ng" not in f"{error!r} {error}"
        cache = to(f"redis://:right@{server.address}/1")
        cache.set("k", 1)
        assert cache.get("k") == 1


def test_a_database_that_is_not_there_is_told(to: Any, redis_server: RedisServer) -> None:
    error = failing(to(redis_server.url_db(999)))
    assert "out of range" in str(error)
    assert redis_server.address in str(error)


def test_a_full_server_refuses_writes_and_goes_on_reading(to: Any) -> None:
    with RedisServer(RedisOptions(max_memory="3mb")) as server:
        cache = to(server.address)
        cache.set("k", "kept")
        answers = [tried(lambda n=n: cache.set(f"big{n}", bytes(1 << 20))) for n in range(5)]
        assert isinstance(answers[-1], need_package("redis.exceptions").OutOfMemoryError)
        assert isinstance(answers[-1], errors.ResponseError)
        assert server.address in str(answers[-1])
        assert "OOM" in str(answers[-1])
        assert cache.get("k") == "kept"
        with pytest.raises(errors.ResponseError, match="OOM"):
            cache.set_many({"k": 1, "l": bytes(1 << 20)})
        assert cache.get("k") == "kept"
        cache.clear()
        cache.set("k", "again")
        assert cache.get("k") == "again"


def test_a_server_with_too_many_clients_is_told(to: Any) -> None:
    with RedisServer() as server, socket.create_connection(("127.0.0.1", server.port)):
        server.ask("CONFIG", "SET", "maxclients", 1)
        error = failing(to(server.address))
        assert server.address in str(error)
        assert "max number of clients" in str(error) or isinstance(
            error, errors.CacheConnectionError
        )


def test_a_read_only_server_is_told(to: Any, redis_server: RedisServer) -> None:
    with RedisServer(RedisOptions(replica_of=redis_server)) as replica:
        error = failing(to(replica.address), "set")
        assert isinstance(error, need_package("redis.exceptions").ReadOnlyError)
        assert replica.address in str(error)


def test_a_command_that_is_not_allowed_is_told(to: Any, redis_server: RedisServer) -> None:
    redis_server.ask("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@connection")
    cache = to(f"redis://reader:pw@{redis_server.address}/1")
    assert cache.get("k") is None
    error = failing(cache, "set")
    assert isinstance(error, need_package("redis.exceptions").NoPermissionError)
    redis_server.ask("ACL", "DELUSER", "reader")
