"""DatabaseCache: few statements, one step each, in the table that Django's own class uses."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.core.cache.backends.db import DatabaseCache as DjangosDatabaseCache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hotclub import trace

TABLE = "cached"
THREADS = 6


def params(**more: Any) -> dict[str, Any]:
    backend = {"BACKEND": "hotclub.django.DatabaseCache", "LOCATION": TABLE}
    return backend | more


@pytest.fixture(params=["sqlite", "postgres", "maria"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The default database is another one, which other threads see too."""
    if request.param == "sqlite":
        engine = "django.db.backends.sqlite3"
        # Nothing here outlives the machine.
        options = {"init_command": "PRAGMA synchronous=OFF", "timeout": 60}
        settings = {"ENGINE": engine, "NAME": str(tmp_path / "db.sqlite3"), "OPTIONS": options}
    else:
        settings = request.getfixturevalue(f"{request.param}_server").settings()
    before = connections.settings["default"]
    connect_to(settings)
    yield request.param
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
    connect_to(before)


def connect_to(settings: dict[str, Any]) -> None:
    """This thread, and the one that blocking code of a loop runs in, which lives on."""
    connections.settings = connections.configure_settings(
        {**connections.settings, "default": settings}
    )

    def renewed() -> None:
        connections.close_all()
        connections["default"] = connections.create_connection("default")

    renewed()
    asyncio.run(sync_to_async(renewed)())


@pytest.fixture
def opened(database: None, configure: Callable[..., Any]) -> Callable[..., Any]:
    def opened(**more: Any) -> Any:
        cache = configure(default=params(**more))["default"]
        call_command("createcachetable", verbosity=0)
        return cache

    return opened


@pytest.fixture
def cache(opened: Callable[..., Any]) -> Any:
    return opened()


def django_beside() -> Any:
    return DjangosDatabaseCache(TABLE, {})


def rows() -> list[tuple[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT cache_key, expires FROM {TABLE}")
        return list(cursor.fetchall())


def statements(work: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"].split()[0] for query in captured]


def let_expire(key: str, at: datetime = datetime(2020, 1, 1, tzinfo=UTC)) -> None:
    """Its deadline has been long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLE} SET expires = %s WHERE cache_key = %s",
            [connection.ops.adapt_datetimefield_value(at), key],
        )


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What so many threads make of it, all at once, each with a connection of its own."""

    def run(number: int) -> Any:
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def test_each_verb_is_one_statement(cache: Any) -> None:
    cache.set("first", 0)  # counts the rows
    many = {f"k{number}": number for number in range(90)}
    assert statements(lambda: cache.set("k", 1)) == ["INSERT"]
    assert statements(lambda: cache.set_many(many)) == ["INSERT"]
    assert statements(lambda: cache.get("k")) == ["SELECT"]
    assert statements(lambda: cache.get_many(many)) == ["SELECT"]
    assert statements(lambda: cache.add("new", 1)) == ["INSERT"]
    assert statements(lambda: cache.touch("k", 9)) == ["UPDATE"]
    # Where rows can be locked, both are in a transaction.
    ends = {"BEGIN", "START", "COMMIT"}
    incr = [said for said in statements(lambda: cache.incr("k")) if said not in ends]
    assert incr == ["SELECT", "UPDATE"]
    assert statements(lambda: cache.delete_many(many)) == ["DELETE"]
    assert cache.get_many(many) == {}
    assert (cache.get("k"), cache.get("new")) == (2, 1)


def test_more_than_one_statement_takes_is_parted(cache: Any) -> None:
    many = {f"k{number}": number for number in range(1200)}
    cache._max_entries = 5000
    assert cache.set_many(many) == []
    assert cache.get_many(many) == many
    cache.delete_many(many)
    assert rows() == []


@pytest.mark.parametrize("value", ["text", b"\0bytes", 1, True, None, {"a": [1.5]}, "é" * 3000])
def test_both_classes_read_what_the_other_wrote(cache: Any, value: Any) -> None:
    django = django_beside()
    cache.set("ours", value, 100)
    django.set("theirs", value, 100)
    assert (django.get("ours", "none"), cache.get("theirs", "none")) == (value, value)
    cache.set("ours-for-ever", value, None)
    django.set("theirs-for-ever", value, None)
    assert django.get("ours-for-ever", "none") == cache.get("theirs-for-ever", "none") == value
    deadlines = dict(rows())
    assert deadlines[":1:ours-for-ever"] == deadlines[":1:theirs-for-ever"]


def test_add_is_one_step_for_all_threads(cache: Any) -> None:
    added = in_threads(THREADS, lambda number: cache.add("once", number))
    assert added.count(True) == 1
    assert cache.get("once") == added.index(True)
    let_expire(":1:once")
    assert cache.add("once", "again") is True
    assert cache.get("once") == "again"


@pytest.mark.filterwarnings("ignore::django.core.cache.backends.base.CacheKeyWarning")
def test_a_key_that_does_not_fit_is_not_cut(cache: Any, database: str) -> None:
    key = "k" * 300
    fits = database == "sqlite"  # which knows no lengths
    assert cache.add(key, 1) is fits
    assert cache.set_many({key: 1}) == ([] if fits else [key])
    assert [full for full, _ in rows()] == ([f":1:{key}"] if fits else [])


def test_incr_loses_no_step_of_any_thread(cache: Any) -> None:
    cache.set("n", 0, 100)
    before = dict(rows())

    in_threads(THREADS, lambda _: [cache.incr("n") for _ in range(20)])
    assert cache.get("n") == THREADS * 20
    assert dict(rows()) == before, "the deadline is kept"
    assert cache.incr("n", 0) == THREADS * 20
    assert cache.decr("n", 5) == THREADS * 20 - 5
    with pytest.raises(ValueError, match="not found"):
        cache.incr("none")


def test_what_is_over_stays_over(cache: Any) -> None:
    cache.set("k", 1)
    let_expire(":1:k")
    assert cache.touch("k", 100) is False
    with pytest.raises(ValueError, match="not found"):
        cache.incr("k")
    assert cache.has_key("k") is False
    assert cache.get("k", "none") == "none"
    assert rows() == [], "a read removes it"


def test_what_ends_in_this_second_is_over_for_every_verb(cache: Any) -> None:
    """Deadlines are whole seconds, the present is not."""
    cache.set("k", 1)
    let_expire(":1:k", datetime.now(UTC).replace(microsecond=0))
    time.sleep(0.001)
    assert cache.has_key("k") is False
    assert cache.touch("k", 100) is False
    with pytest.raises(ValueError, match="not found"):
        cache.incr("k")
    assert cache.add("k", 2) is True
    assert cache.get("k") == 2


def test_many_keys_in_any_order_are_no_deadlock(cache: Any) -> None:
    keys = [f"k{number}" for number in range(50)]
    orders = [dict.fromkeys(keys, 1), dict.fromkeys(reversed(keys), 2)]

    def write(number: int) -> list[Any]:
        return [key for _ in range(30) for key in cache.set_many(orders[number % 2])]

    assert in_threads(4, write) == [[]] * 4


def test_a_read_does_not_remove_what_was_written_since(cache: Any) -> None:
    cache.set("k", "old")
    let_expire(":1:k")

    written: list[bool] = []

    def written_first(execute: Any, sql: str, given: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE") and not written:
            written.append(django_beside().set("k", "new"))
        return execute(sql, given, many, context)

    with connection.execute_wrapper(written_first):
        assert cache.get("k", "none") == "none"
    assert written
    assert cache.get("k") == "new"


def test_a_table_is_culled_and_swept(opened: Callable[..., Any]) -> None:
    cache = opened(OPTIONS={"MAX_ENTRIES": 30, "CULL_FREQUENCY": 2})
    for number in range(100):
        cache.set(f"k{number}", number)
    assert 10 <= len(rows()) <= 32
    cache.clear()
    cache.set_many({"a": 1, "b": 2})
    let_expire(":1:a")
    cache._count(connection).swept -= 100
    cache.set("c", 3)
    assert sorted(key for key, _ in rows()) == [":1:b", ":1:c"]


def test_deadlines_in_milliseconds_if_asked(opened: Callable[..., Any]) -> None:
    cache = opened(OPTIONS={"PRECISION": "milliseconds"})
    cache.set("k", 1, 1.5)
    assert cache.get("k") == 1
    time.sleep(1.6)
    assert cache.get("k") is None
    assert cache.add("k", 2) is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"PRECISION": "minutes"},
            'OPTIONS\\[\'PRECISION\'\\] must be one of "seconds", "milliseconds"',
        ),
        ({"MAX_ENTRYS": 3}, "no option 'MAX_ENTRYS'"),
    ],
)
def test_wrong_options_are_named(
    opened: Callable[..., Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=said):
        opened(OPTIONS=options)


def test_a_location_left_out_is_told(configure: Callable[..., Any]) -> None:
    nowhere = configure(default={"BACKEND": "hotclub.django.DatabaseCache"})
    with pytest.raises(ImproperlyConfigured, match="needs a LOCATION, the name of its table"):
        nowhere["default"].get("k")


def test_a_missing_table_is_told(database: None, configure: Callable[..., Any]) -> None:
    cache = configure(default=params())["default"]
    for verb in (
        lambda: cache.get("k"),
        lambda: cache.set("k", 1),
        lambda: cache.add("k", 1),
        lambda: cache.delete("k"),
    ):
        with pytest.raises((OperationalError, ProgrammingError), match=TABLE):
            verb()


def test_a_write_belongs_to_the_transaction(cache: Any) -> None:
    def undone() -> None:
        with transaction.atomic():
            cache.set("k", 1)
            assert cache.get("k") == 1
            raise KeyError("undone")

    with pytest.raises(KeyError, match="undone"):
        undone()
    assert cache.get("k") is None


def test_verbs_work_where_a_loop_runs(cache: Any) -> None:
    async def page() -> Any:
        await cache.aset("a", 1)
        cache.set("b", 2)
        assert await cache.aadd("a", 9) is False
        assert await cache.aincr("a", 4) == 5
        return cache.get("a"), await cache.aget_many(["a", "b"]), await cache.adelete("b")

    assert asyncio.run(page()) == (5, {"a": 5, "b": 2}, True)
    with pytest.raises(ValueError, match="not found"):
        asyncio.run(cache.aincr("none"))


def test_async_verbs_use_the_connection_of_one_thread(cache: Any) -> None:
    asked: list[tuple[int, Any]] = []
    of_reading, of_writing = type(cache)._reading, type(cache)._writing

    def seen(which: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def connected(self: Any) -> Any:
            asked.append((threading.get_ident(), which(self)))
            return asked[-1][1]

        return connected

    async def page() -> int:
        keys = [f"k{number}" for number in range(20)]
        await asyncio.gather(*(cache.aset(key, 1) for key in keys))
        await asyncio.gather(*(cache.aget_or_set(key, 2) for key in (*keys, "new")))
        return await sync_to_async(threading.get_ident)()

    with (
        mock.patch.object(type(cache), "_reading", seen(of_reading)),
        mock.patch.object(type(cache), "_writing", seen(of_writing)),
    ):
        owners = {asyncio.run(page()), asyncio.run(page())}
    assert {thread for thread, _ in asked} == owners
    assert len({id(used) for _, used in asked}) == len(owners) == 1


def test_a_blocking_verb_where_a_loop_runs_is_one_step_of_a_trace(cache: Any) -> None:
    async def page() -> list[Any]:
        with trace() as table:
            cache.set("k", 1, 60)
        return table.rows

    (row,) = asyncio.run(page())
    assert (row["action"], row["set_action"], row["output"]) == (
        "set('k')",
        "stored, timeout 60 s",
        "",
    )


def test_calls_are_seen_in_a_trace(cache: Any) -> None:
    with trace() as table:
        cache.set("k", 1)
        cache.get("k")
        cache.get("none")
    text = str(table)
    assert "DatabaseCache" in text
    assert "set('k')" in text


def test_what_this_process_found_is_counted(cache: Any) -> None:
    before = cache.stats()
    cache.set("k", 1)
    cache.get_many(["k", "none", "neither"])
    after = cache.stats()
    assert after["hits"] - before["hits"] == 1
    assert after["misses"] - before["misses"] == 2
