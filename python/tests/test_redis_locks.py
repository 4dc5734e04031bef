"""Locks that processes share, sync and async."""

# ruff: noqa: F811, since fixtures are imported and then named as parameters
from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from hotclub import errors

from packages import need_package
from redis_pairs import bare, lock_of, ours, redis_door  # noqa: F401, the fixtures
from servers import RedisServer


def test_a_lock_is_held_by_one(ours: Any, bare: Any) -> None:
    lock, other = lock_of(ours), bare.lock("lock", blocking=False)
    assert lock.acquire() is True
    assert (lock.locked(), lock.owned(), other.locked(), other.owned()) == (True, True, True, False)
    assert other.acquire() is False
    assert ours.has_key("lock")
    assert lock.release() is None
    assert not ours.has_key("lock")
    assert (lock.locked(), lock.owned()) == (False, False)
    assert other.acquire() is True


def test_a_lock_and_one_of_redis_py_keep_each_other_out(
    ours: Any, redis_server: RedisServer
) -> None:
    theirs = need_package("redis").Redis.from_url(redis_server.url_db(2)).lock(":1:lock", timeout=9)
    ours = lock_of(ours, timeout=9)
    assert theirs.acquire(blocking=False)
    assert ours.acquire(blocking=False) is False
    theirs.release()
    assert ours.acquire(blocking=False) is True
    assert theirs.acquire(blocking=False) is False


def test_waiting_for_a_lock_ends_in_time(ours: Any, bare: Any) -> None:
    bare.lock("lock").acquire()
    lock = lock_of(ours, sleep=0.01, blocking_timeout=0.05)
    start = time.monotonic()
    assert lock.acquire() is False
    assert lock.acquire(blocking_timeout=0) is False
    assert time.monotonic() - start < 5
    with pytest.raises(errors.LockError, match="somebody else"), lock:
        pytest.fail("the lock is held by another")


def test_a_lock_that_is_given_back_is_taken_by_who_waits(ours: Any, bare: Any) -> None:
    held = bare.lock("lock", thread_local=False)
    held.acquire()
    timer = threading.Timer(0.05, held.release)
    timer.start()
    assert lock_of(ours, sleep=0.01).acquire(blocking_timeout=10) is True
    timer.join()


def test_a_lock_runs_out_and_can_be_renewed(ours: Any) -> None:
    lock = lock_of(ours, timeout=10)
    lock.acquire()
    assert 6_000 < ours.pttl("lock") <= 10_000
    assert lock.extend(20) is True
    assert 21_000 < ours.pttl("lock") <= 30_000
    assert lock.extend(5.5, replace_ttl=True) is True
    assert 1_000 < ours.pttl("lock") <= 5_500
    assert lock.reacquire() is True
    assert 6_000 < ours.pttl("lock") <= 10_000


def test_who_does_not_hold_a_lock_can_neither_release_nor_renew_it(ours: Any, bare: Any) -> None:
    redis = need_package("redis.exceptions")
    lock = lock_of(ours, timeout=10)
    for act in (lock.release, lock.reacquire, lambda: lock.extend(1)):
        with pytest.raises(errors.LockError, match="not held") as caught:
            act()
        assert isinstance(caught.value, redis.LockError)
        assert isinstance(caught.value, ValueError)
        assert caught.value.lock_name == ":1:lock"
    lock.acquire()
    ours.expire("lock", 0)  # it ran out
    bare.lock("lock").acquire()  # and another came
    for act in (lock.reacquire, lambda: lock.extend(1), lock.release):
        with pytest.raises(errors.LockNotOwnedError, match="no longer") as caught:
            act()
        assert isinstance(caught.value, redis.LockNotOwnedError)
    assert ours.has_key("lock"), "the other's lock is left alone"


def test_a_lock_without_a_timeout_cannot_be_renewed(ours: Any) -> None:
    lock = lock_of(ours)
    lock.acquire()
    assert ours.ttl("lock") is None
    for act in (lock.reacquire, lambda: lock.extend(1)):
        with pytest.raises(errors.LockError, match="no timeout"):
            act()


def test_a_with_block_holds_a_lock(ours: Any) -> None:
    with lock_of(ours, timeout=10) as held:
        assert ours.has_key("lock")
        assert held.token is not None
    assert not ours.has_key("lock")
    with pytest.raises(errors.LockNotOwnedError), lock_of(ours, timeout=10):
        ours.expire("lock", 0)


def test_losing_a_lock_can_be_logged_instead(ours: Any, caplog: Any) -> None:
    lock = lock_of(ours, timeout=10)
    lock.raise_on_release_error = False
    getattr(lock, "behind", lock).raise_on_release_error = False
    with lock:
        ours.expire("lock", 0)
    assert "no longer ours" in caplog.text


def test_a_token_belongs_to_the_thread_unless_asked_otherwise(bare: Any) -> None:
    seen = []
    for local in (True, False):
        lock = bare.lock(f"lock{local}", thread_local=local)
        lock.acquire(token="mine")

        def look(lock: Any = lock) -> None:
            seen.append(lock.owned())

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert lock.token == b"mine"
    assert seen == [False, True]


def test_an_async_lock_is_used_with_or_without_await(bare: Any) -> None:
    async def main() -> None:
        async with bare.alock("lock", timeout=10) as lock:
            assert await lock.aowned()
            assert await lock.aextend(10)
        lock = await bare.alock("lock")
        assert not await lock.alocked()
        assert await lock.aacquire()
        await lock.arelease()

    asyncio.run(main())
