"""DatabaseCache: few statements, one step each, in the table that Django's own class uses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
        settings = {"ENGINE": engine, "NAME": str(tmp_path / "db.sqlite3")}
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
    connections.settings = connections.configure_settings({"default": settings})

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


def let_expire(key: str) -> None:
    """Its deadline has been long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLE} SET expires = %s WHERE cache_key = %s",
            [connection.ops.adapt_datetimefield_value(datetime(2020, 1, 1, tzinfo=UTC)), key],
        )


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
    def add(number: int) -> bool:
        try:
            return bool(cache.add("once", number))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        added = list(threads.map(add, range(THREADS)))
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

    def count(_: int) -> None:
        try:
            for _ in range(20):
                cache.incr("n")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(count, range(THREADS)))
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
    cache.set("k", 1, 0.4)
    assert cache.get("k") == 1
    time.sleep(0.5)
    assert cache.get("k") is None
    assert cache.add("k", 2) is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"PRECISION": "minutes"}, "OPTIONS\\['PRECISION'\\] must be one of seconds, milliseconds"),
        ({"MAX_ENTRYS": 3}, "no option 'MAX_ENTRYS'"),
    ],
)
def test_wrong_options_are_named(
    opened: Callable[..., Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=said):
        opened(OPTIONS=options)


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
