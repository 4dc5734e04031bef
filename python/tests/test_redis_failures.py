"""When it breaks: bounded time, an error with the server's name, recovery by itself, no second ``incr``."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import InvalidCacheBackendError
from hotclub import errors

import programs
from clocks import until
from doors import DOORS
from fault_proxy import CutAfter, Delay, FaultProxy, Garbage, Passing, Refuse, Swallow
from packages import need_package
from redis_clients import REDIS
from servers import RedisOptions, RedisServer, two_free_ports

#: Of the aliases here, in seconds.
LIMIT = 0.3
#: Nothing takes longer: a request and its repetition, with room for a busy machine.
GENEROUS = 3.0
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


def nobody() -> str:
    """An address at which nobody listens."""
    return f"127.0.0.1:{two_free_ports()[0]}"


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


class Load:
    """Threads and loops that use a cache without pause, and what came of it."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.stopping = threading.Event()
        self.done = self.failed = 0
        self.slowest = 0.0
        self.wrong: list[Any] = []
        self._threads = [
            threading.Thread(target=self._blocking, args=(number,)) for number in range(3)
        ]
        self._threads += [threading.Thread(target=lambda: asyncio.run(self._loop()))]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in self._threads), "it hangs"
        assert self.wrong == []
        assert self.slowest < GENEROUS

    def _took(self, began: float, worked: bool) -> None:
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.done, self.failed = self.done + worked, self.failed + (not worked)

    def _check(self, key: str, value: Any, found: Any) -> None:
        # The server may have been emptied meanwhile.
        if found is not None and found[:2] != [key, value[1]]:
            self.wrong.append((key, value, found))

    def _failure(self, error: BaseException) -> None:
        if not isinstance(error, errors.CacheConnectionError):
            self.wrong.append(error)

    def _blocking(self, number: int) -> None:
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            began, key, value = time.monotonic(), f"t{number}", [f"t{number}", turn, "x" * 100]
            try:
                self.cache.set(key, value)
                self._check(key, value, self.cache.get(key))
            except BaseException as error:
                self._failure(error)
                self._took(began, False)
                time.sleep(0.002)
            else:
                self._took(began, True)

    async def _loop(self) -> None:
        await asyncio.gather(*(self._task(number) for number in range(20)))

    async def _task(self, number: int) -> None:
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            began, key, value = time.monotonic(), f"a{number}", [f"a{number}", turn, "x" * 100]
            try:
                await self.cache.aset(key, value)
                self._check(key, value, await self.cache.aget(key))
            except BaseException as error:
                self._failure(error)
                self._took(began, False)
                await asyncio.sleep(0.002)
            else:
                self._took(began, True)

    def works(self) -> None:
        """Waits until it works, and for a while without a failure."""
        until(lambda: self._undisturbed())

    def _undisturbed(self) -> bool:
        done, failed = self.done, self.failed
        time.sleep(0.2)
        return self.done > done + 20 and self.failed == failed


def test_killed_and_restarted_under_load(configure: Any) -> None:
    with RedisServer() as server:
        settings = {"BACKEND": REDIS, "LOCATION": server.url_db(1), "OPTIONS": QUICK}
        cache = configure(default=settings)["default"]
        with Load(cache) as load:
            load.works()
            for _ in range(2):
                server.kill()
                failed = load.failed
                until(lambda failed=failed: load.failed > failed + 5)
                server.restart()
                load.works()


def test_paused_under_load(configure: Any, redis_server: RedisServer) -> None:
    settings = {"BACKEND": REDIS, "LOCATION": redis_server.url_db(1), "OPTIONS": QUICK}
    cache = configure(default=settings)["default"]
    with Load(cache) as load:
        load.works()
        for pause in (0.1, 1.0):
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


# What is said, and what is kept silent.


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of each line of the cache's logger."""
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name == LOGGER]


def test_each_change_of_state_is_one_line(
    to: Any, fault_proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    cache = to(fault_proxy.address)
    cache.set("k", 1)
    assert lines(caplog) == []
    for turn in range(1, 4):
        fault_proxy.set(Refuse())
        for _ in range(30):
            with pytest.raises(errors.CacheConnectionError):
                cache.get("k")
            time.sleep(0.005)
        assert len(lines(caplog)) == 2 * turn - 1
        level, text = lines(caplog)[-1]
        assert level == "ERROR"
        assert fault_proxy.address in text
        assert "refused" in text
        fault_proxy.set(Passing())
        recovers(cache)
        assert len(lines(caplog)) == 2 * turn
        level, text = lines(caplog)[-1]
        assert level == "WARNING"
        assert fault_proxy.address in text


IGNORING = {"DIALECT": "django-redis", "IGNORE_EXCEPTIONS": True}


def test_ignored_exceptions_are_misses_as_in_django_redis(configure: Any, door: Any) -> None:
    need_package("django_redis")
    location = f"redis://{nobody()}/1"
    theirs = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": location,
        "OPTIONS": {"IGNORE_EXCEPTIONS": True},
    }
    ours = {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": {**QUICK, **IGNORING}}
    caches = configure(default=ours, theirs=theirs)
    cache = door(caches["default"])
    for verb, arguments in VERBS.items():
        if verb == "touch":  # there it raises all the same
            assert not cache.touch("k")
            continue
        expected = getattr(caches["theirs"], verb)(*arguments)
        assert getattr(cache, verb)(*arguments) == expected, verb
    assert cache.get("k", "default") == "default"
    assert cache.stats()["ignored_errors"] > 5


def test_ignored_exceptions_are_logged_once_if_that_is_asked_for(
    to: Any, fault_proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cache = to(fault_proxy.address, **IGNORING, LOG_IGNORED_EXCEPTIONS=True, LOGGER="own.logger")
    cache.set("k", 1)
    fault_proxy.set(Refuse())
    assert [cache.get("k", "gone") for _ in range(20)] == ["gone"] * 20
    said = [record.getMessage() for record in caplog.records if record.name == "own.logger"]
    assert 1 <= len(said) <= 2
    fault_proxy.set(Passing())
    until(lambda: cache.get("k") == 1)


def test_what_is_no_fault_of_the_server_is_never_ignored(
    to: Any, redis_server: RedisServer
) -> None:
    cache = to(redis_server.address, **IGNORING)
    with pytest.raises(ValueError, match="not found"):
        cache.incr("missing")
    with pytest.raises((AttributeError, pickle.PicklingError)):
        cache.set("k", lambda: None)


def test_messages_name_the_verb(to: Any) -> None:
    cache = to(nobody())
    for verb in ("get", "set", "incr", "get_many", "clear"):
        assert f"{verb} failed" in str(failing(cache, verb))


# Without redis-py.

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("redis", "django_redis", "hiredis"):
            asked.append(name)
            raise ImportError(f"{name} is not installed")
asked = []
sys.meta_path.insert(0, Blocked())
"""


def test_without_redis_py_the_exceptions_are_ours_alone(redis_server: RedisServer) -> None:
    said = programs.run(
        BLOCKED
        + f"""
import asyncio
import hotclub, hotclub.django
from hotclub import errors
from django.conf import settings
where = {{"BACKEND": "hotclub.django.RedisCache"}}
settings.configure(CACHES={{
    "default": where | {{"LOCATION": {redis_server.url_db(1)!r}}},
    "old": where | {{"LOCATION": {redis_server.url_db(1)!r}, "OPTIONS": {{"DIALECT": "django-redis"}}}},
    "dead": where | {{"LOCATION": "redis://{nobody()}"}},
}})
import django
django.setup()
from django.core.cache import caches
for alias in ("default", "old"):
    cache = caches[alias]
    cache.set("k", {{"a": [1]}}, 60)
    assert cache.get("k") == {{"a": [1]}} and asyncio.run(cache.aget("k")) == {{"a": [1]}}
    cache.set("n", 1)
    assert cache.incr("n") == asyncio.run(cache.aincr("n")) - 1
    with cache.lock("lock"):
        assert cache.ttl("k") > 0
assert asked == [], asked
def fails(work):
    try:
        work()
    except errors.CacheError as error:
        modules = {{base.__module__.partition(".")[0] for base in type(error).__mro__}}
        assert modules <= {{"hotclub", "builtins"}}, modules
        return type(error).__name__
    raise AssertionError("no error")
print(fails(lambda: caches["dead"].get("k")), fails(lambda: asyncio.run(caches["dead"].aget("k"))))
caches["default"].set("text", "x")
print(fails(lambda: caches["default"].incr("text")))
"""
    )
    assert said.split() == ["CacheConnectionError", "CacheConnectionError", "NotAnIntegerError"]


def test_nothing_imports_redis_py_until_there_is_an_error() -> None:
    programs.run(
        """
        import sys
        import hotclub, hotclub.django, hotclub.django.redis, hotclub.errors
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert not loaded & {"redis", "django_redis", "hiredis", "lz4", "pyzstd", "msgpack", "ormsgpack"}
        """
    )
