"""What the tests of failures share: caches with short limits, through both doors."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hotclub import errors

from clocks import until
from doors import DOORS
from load import GENEROUS
from packages import need_package
from redis_clients import REDIS

#: Of the aliases here, in seconds.
LIMIT = 0.9
QUICK = {"CONNECT_LIMIT": LIMIT, "REPLY_LIMIT": LIMIT, "BREAKER": 0.1}
LOGGER = "hotclub.redis"
READING = {"get": ("k",), "get_many": (["k", "l"],), "has_key": ("k",)}
WRITING: dict[str, tuple[Any, ...]] = {
    "set": ("k", 1), "add": ("k", 1), "touch": ("k",), "delete": ("k",), "set_many": ({"k": 1},),
    "delete_many": (["k"],), "incr": ("k",), "clear": (), "get_or_set": ("k", 1), "incr_version": ("k",),
}  # fmt: skip
VERBS: dict[str, tuple[Any, ...]] = {**READING, **WRITING}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """What puts a cache behind its sync or its async verbs."""
    with DOORS[request.param]() as through:
        yield through


@pytest.fixture
def to(configure: Any, door: Any) -> Callable[..., Any]:
    """``to(address, **options)``: a cache with short limits."""

    def made(address: str, **options: Any) -> Any:
        location = address if "://" in address else f"redis://{address}/1"
        settings = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": {**QUICK, **options}}
        return door(configure(default=settings)["default"])

    return made


@contextmanager
def bounded(limit: float = GENEROUS) -> Iterator[None]:
    """What is in here does not take longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < limit


def failing(cache: Any, verb: str = "get") -> errors.CacheError:
    """What a verb raises, in bounded time: an error of ours, and one of redis-py's."""
    theirs = need_package("redis.exceptions").RedisError
    with bounded(), pytest.raises(errors.CacheError) as caught:
        getattr(cache, verb)(*VERBS[verb])
    assert isinstance(caught.value, theirs)
    return caught.value


def tried(work: Callable[[], Any]) -> Any:
    """What it gives, or what it raises."""
    try:
        return work()
    except errors.CacheError as error:
        return error


def recovers(cache: Any) -> None:
    """Before long it works again, and what it answers is right."""
    until(lambda: not isinstance(tried(lambda: cache.set("recovered", [1])), errors.CacheError))
    for number in range(20):
        cache.set(f"r{number}", [number])
    assert cache.get_many([f"r{number}" for number in range(20)]) == {
        f"r{number}": [number] for number in range(20)
    }
    assert cache.get("r7") == [7]


#: Until the end of the run, or somebody might take their ports.
_bound: list[socket.socket] = []


def nobody() -> str:
    """An address at which nobody listens, nor ever will."""
    one = socket.socket()
    _bound.append(one)
    one.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{one.getsockname()[1]}"


def pytest_unconfigure() -> None:
    for one in _bound:
        one.close()
