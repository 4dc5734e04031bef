# ruff: noqa: F811  fixtures are named where they come from and where they are used
"""DatabaseCache where others are at work: upkeep, locks, transactions, and what one bad row costs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.db import (
    DatabaseError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext
from hotclub.django import database as ours
from hotclub.django import moments
from hotclub.errors import CacheDecodeError

from test_database_cache import (  # noqa: F401  fixtures
    TABLE,
    cache,
    database,
    django_beside,
    in_threads,
    let_expire,
    opened,
    rows,
)

SERVERS = pytest.mark.parametrize("database", ["postgres", "maria"], indirect=True)
POSTGRES = pytest.mark.parametrize("database", ["postgres"], indirect=True)
MARIA = pytest.mark.parametrize("database", ["maria"], indirect=True)
#: What nobody waits for takes less, and what somebody holds is held for longer. In seconds.
SOON, HELD = 3.0, 6.0


def sweep_now(cache: Any) -> None:
    """The next write does."""
    cache._count(connection).swept -= 1000


@contextmanager
def held(work: Callable[[], Any]) -> Iterator[None]:
    """Another thread has done this in a transaction that is still open, and commits it afterwards."""
    done, over = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                over.wait(HELD)
        finally:
            done.set()
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join(20)
        assert not thread.is_alive()


@SERVERS
def test_what_is_written_anew_is_not_swept(cache: Any) -> None:
    cache.set_many({"over": "old", "other": 1})
    let_expire(":1:over")
    with held(lambda: cache.set("over", "new")):
        began = time.monotonic()
        sweep_now(cache)
        cache.set("unrelated", 2)
        assert time.monotonic() - began < SOON, "upkeep waits for nobody's rows"
    assert cache.get_many(["over", "unrelated"]) == {"over": "new", "unrelated": 2}


@SERVERS
def test_a_transaction_locks_no_rows_that_it_does_not_write(cache: Any) -> None:
    cache.set_many({"over": "old", "other": 1})
    let_expire(":1:over")

    def write_and_sweep() -> None:
        sweep_now(cache)
        cache.set("unrelated", 2)

    with held(write_and_sweep):
        began = time.monotonic()
        cache.set("over", "new")
        assert time.monotonic() - began < SOON
    assert cache.get("over") == "new"


def test_what_transactions_left_is_swept_at_the_end_of_the_request(cache: Any) -> None:
    cache.set_many({"a": 1, "b": 2})
    let_expire(":1:a")
    with transaction.atomic():
        sweep_now(cache)
        cache.set("c", 3)
        cache.close()
        assert len(rows()) == 3
    cache.close()
    assert sorted(key for key, _ in rows()) == [":1:b", ":1:c"]
    # Once is enough.
    with CaptureQueriesContext(connection) as asked:
        cache.close()
    assert not asked.captured_queries


def test_upkeep_that_fails_costs_no_write(
    opened: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    cache = opened(OPTIONS={"MAX_ENTRIES": 5})
    cache.set_many({f"k{number}": number for number in range(7)})
    let_expire(":1:k0")
    broken: list[str] = []

    def fail(execute: Any, sql: str, given: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE"):
            broken.append(sql)
            raise OperationalError("deadlock detected")
        return execute(sql, given, many, context)

    with connection.execute_wrapper(fail), caplog.at_level(logging.WARNING, "hotclub.database"):
        cache._count(connection).rows = None
        cache._count(connection).complained = 0
        sweep_now(cache)
        cache.set("new", 1)
        assert cache.add("added", 2) is True
    assert broken
    assert cache.get_many(["new", "added"]) == {"new": 1, "added": 2}
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"the table {TABLE} was not culled: deadlock detected"]


@SERVERS
def test_those_who_cull_at_once_remove_one_part(opened: Callable[..., Any]) -> None:
    cache = opened(OPTIONS={"MAX_ENTRIES": 90, "CULL_FREQUENCY": 3})
    fewest: list[int] = []

    def write(number: int) -> None:
        for key in range(60):
            cache.set(f"{number}-{key}", 1)
            # Each as if it were a process of its own.
            cache._count(connection).rows = None
            if key > 20:
                fewest.append(len(rows()))

    in_threads(6, write)
    # A third of them goes at a time; who is slow to remove it takes what was written meanwhile, too.
    assert 25 <= min(fewest) < 90


def test_a_full_table_is_not_counted_on_each_write(opened: Callable[..., Any]) -> None:
    cache = opened(OPTIONS={"MAX_ENTRIES": 1000})
    cache.set_many({f"k{number}": number for number in range(1000)})
    count = cache._count(connection)
    with CaptureQueriesContext(connection) as asked:
        for number in range(100):
            count.since = count.swept = time.monotonic()
            cache.set(f"k{number}", 0)
            assert cache.add(f"k{number}", 0) is False
    counted = [query["sql"] for query in asked if "COUNT(*)" in query["sql"]]
    assert len(counted) <= 100 / 10
    cache.set_many({f"more{number}": number for number in range(12)})
    cache.set("last", 1)
    assert len(rows()) < 1000


@MARIA
def test_keys_that_look_alike_are_not_each_others(cache: Any) -> None:
    cache.set("user:bob", "bob's")
    for other in ("user:BOB", "User:bob"):
        assert cache.get(other) is None
        assert not cache.has_key(other)
        assert cache.touch(other) is False
        assert cache.get_many([other]) == {}
    assert cache.get("user:bob") == "bob's"
    cache.set("n", 1)
    with pytest.raises(ValueError, match="not found"):
        cache.incr("N")
    assert cache.get("n") == 1
    # The index has one of them. It takes the other's place; nobody reads what is not theirs.
    cache.set("N", "upper")
    assert (cache.get("n"), cache.get("N")) == (None, "upper")
    let_expire(":1:N")
    assert cache.add("n", "lower") is True
    assert (cache.get("n"), cache.get("N")) == ("lower", None)


@SERVERS
def test_adding_in_transactions_makes_no_deadlock(cache: Any) -> None:
    live = ["live", "other"]
    cache.set_many(dict.fromkeys(live, 1))

    def add(number: int) -> list[bool]:
        added = []
        for step in range(60):
            with transaction.atomic():
                # Crosswise: who locked what is there would wait for each other.
                added += [cache.add(key, 2) for key in live[:: 1 if number % 2 else -1]]
                added.append(cache.add(f"{number}-{step}", 1))
        return added

    assert in_threads(6, add) == [[False, False, True] * 60] * 6
    assert cache.get_many(live) == dict.fromkeys(live, 1)


@SERVERS
def test_an_entry_that_is_not_added_is_locked_by_nobody(cache: Any) -> None:
    cache.set("live", 1)
    with held(lambda: cache.add("live", 2)):
        began = time.monotonic()
        assert cache.add("live", 3) is False
        cache.set("live", 4)
        assert time.monotonic() - began < SOON
    assert cache.get("live") == 4


@MARIA
def test_a_transaction_that_the_database_ended_is_not_gone_on_with(cache: Any) -> None:
    cache.set_many({"a": 1, "b": 1})

    def crosswise(first: str, second: str) -> str:
        connection.set_autocommit(False)
        try:
            cache.set(first, 2)
            both.wait(10)
            cache.set(second, 2)
            connection.commit()
        except OperationalError:
            return "told"
        finally:
            connection.rollback()
            connection.set_autocommit(True)
        return "done"

    both = threading.Barrier(2)
    ends = in_threads(2, lambda number: crosswise(*("ab" if number else "ba")))
    assert sorted(ends) == ["done", "told"]
    assert cache.get_many("ab") == {"a": 2, "b": 2}


@MARIA
def test_letters_of_other_languages_are_touched_in_any_table(cache: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} CONVERT TO CHARACTER SET latin1")
    cache.set("é", 1)
    assert cache.get("é") == 1
    assert cache.touch("é", 60) is True
    assert cache.touch("e", 60) is False


def test_add_says_what_it_did(cache: Any) -> None:
    assert cache.add("k", 1) is True
    assert cache.add("k", 2) is False
    assert cache.add("k", 1) is False
    let_expire(":1:k")
    assert cache.add("k", 1) is True
    assert cache.add("k", 1) is False
    assert cache.add("other", 1) is True


@MARIA
def test_many_large_values_are_not_one_large_statement(cache: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        most = cursor.fetchone()[0]
    value = "x" * (most // 16)
    data = {f"k{number}": value for number in range(20)}
    assert cache.set_many(data) == []
    assert cache.get_many(data) == data


def test_one_bad_key_costs_itself_alone(cache: Any, database: str) -> None:
    # SQLite has no limit of its own for texts.
    bad = "b" * 300 if database != "sqlite" else "bad"

    def refuse(execute: Any, sql: str, given: Any, many: bool, context: Any) -> Any:
        if database == "sqlite" and sql.startswith("INSERT") and ":1:bad" in given:
            raise ours.DataError("too long")
        return execute(sql, given, many, context)

    with (
        pytest.warns(RuntimeWarning) if len(bad) > 250 else nullcontext(),
        connection.execute_wrapper(refuse),
    ):
        assert cache.set_many({"a": 1, bad: 2, "c": 3}) == [bad]
        assert cache.set_many({bad: 2}) == [bad]
        with transaction.atomic():
            assert cache.set_many({"d": 4, bad: 2}) == [bad]
    assert cache.get_many(["a", "c", "d"]) == {"a": 1, "c": 3, "d": 4}


@POSTGRES
def test_a_write_that_fails_leaves_the_transaction_without_autocommit(cache: Any) -> None:
    connection.set_autocommit(False)
    try:
        with pytest.warns(RuntimeWarning):
            cache.set("k" * 300, 1)
        cache.set("fine", 1)
        connection.commit()
    finally:
        connection.rollback()
        connection.set_autocommit(True)
    assert cache.get("fine") == 1


@POSTGRES
def test_a_missing_table_is_told_within_a_transaction_too(cache: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")
    cache._count(connection).rows = None
    with pytest.raises(ProgrammingError, match=f'"{TABLE}" does not exist'), transaction.atomic():
        cache.set("k", 1)


@POSTGRES
def test_incr_is_tried_again_where_transactions_see_nothing_new(cache: Any) -> None:
    cache.set("n", 0)

    def count(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_isolation = 'repeatable read'")
        for _ in range(30):
            cache.incr("n")

    in_threads(4, count)
    assert cache.get("n") == 120


def test_a_lock_that_is_held_is_a_touch_that_failed(cache: Any) -> None:
    cache.set("k", 1)
    refused = OperationalError("database is locked")

    def refuse(execute: Any, sql: str, given: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise refused
        return execute(sql, given, many, context)

    with connection.execute_wrapper(refuse):
        assert cache.touch("k", 5) is False
        with pytest.raises(OperationalError):
            cache.incr("k")
    assert cache.get("k") == 1


def test_blocking_verbs_of_a_loop_are_in_the_callers_transaction(cache: Any) -> None:
    async def helper(value: str) -> Any:
        cache.set("k", value)
        return cache.get("k")

    with suppress(KeyError), transaction.atomic():
        cache.set("k", "mine")
        assert async_to_sync(helper)("helper's") == "helper's"
        assert cache.get("k") == "helper's"
        raise KeyError
    assert cache.get("k") is None
    assert async_to_sync(helper)("kept") == "kept" == cache.get("k")


def test_databases_without_an_upsert_are_written_as_django_does(cache: Any) -> None:
    bad = lambda: 0  # noqa: E731  that cannot be pickled
    with mock.patch.object(ours, "UPSERTS", ()):
        assert cache.set_many({"a": 1, "b": 2}) == []
        assert cache.add("a", 2) is False
        assert cache.add("c", 3) is True
        assert cache.incr("a") == 2
        with pytest.raises((AttributeError, ours.pickle.PicklingError)):
            cache.set("bad", bad)
        with mock.patch.object(
            ours.DjangosDatabaseCache, "_base_set", side_effect=[True, False, True]
        ):
            assert cache.set_many({"x": 1, "y": 2, "z": 3}) == ["y"]
    assert cache.get_many("abc") == {"a": 2, "b": 2, "c": 3}


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_a_table_without_its_key_is_told(cache: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")
        cursor.execute(
            f"CREATE TABLE {TABLE} (cache_key varchar(255), value text, expires timestamp)"
        )
    for write in (lambda: cache.set("k", 1), lambda: cache.add("k", 1)):
        with pytest.raises(DatabaseError, match="'cached' needs cache_key as its primary key"):
            write()


@pytest.mark.parametrize(
    ("moment", "compared"),
    [
        ("2026-11-01T05:59:59", "2026-11-01 01:59:59"),
        ("2026-11-01T06:00:00", "2026-11-01 02:00:00"),
        ("2026-11-01T06:30:00.25", "2026-11-01 02:00:00"),
        ("2026-11-01T06:59:59", "2026-11-01 02:00:00"),
        ("2026-11-01T07:00:01", "2026-11-01 02:00:01"),
        ("2026-03-08T07:00:00", "2026-03-08 03:00:00"),
    ],
)
def test_in_the_hour_that_comes_twice_nothing_comes_back(moment: str, compared: str) -> None:
    zone = ZoneInfo("America/New_York")
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    found = moments.without_fold(now, zone).astimezone(zone)
    assert found.strftime("%Y-%m-%d %H:%M:%S") == compared
    half = ZoneInfo("Australia/Lord_Howe")
    turning = datetime(2026, 4, 4, 15, 10, tzinfo=UTC)
    assert moments.without_fold(turning, half).astimezone(half).strftime("%H:%M:%S") == "02:00:00"


def test_what_is_no_pickle_is_told_with_its_table(cache: Any) -> None:
    cache.set_many({"k": 1, "good": 2})
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET value = 'waVoZWxsbw==' WHERE cache_key = %s", [":1:k"])
    for read in (lambda: cache.get("k"), lambda: cache.get_many(["k", "good"])):
        with pytest.raises(
            CacheDecodeError, match=r"\(cached\): undecodable entry: invalid load key.*codec=django"
        ):
            read()


def test_djangos_class_beside_reads_it_all(cache: Any) -> None:
    data = {f"k{number}": [number] * 100 for number in range(700)}
    assert cache.set_many(data) == []
    assert django_beside().get_many(list(data)[:200]) == {
        key: data[key] for key in list(data)[:200]
    }
    assert len(rows()) <= 700
