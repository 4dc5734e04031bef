"""``hotclub.trace``: what it records, for whom, and that it costs nothing when it is off."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from typing import Any

import hotclub
import pytest
from django.core.cache.backends.base import CacheKeyWarning, InvalidCacheKey
from django.db import connections
from hotclub import tracing
from hotclub.errors import NotAnIntegerError

from backends import Backend

COLUMNS = ["step", "action", "backend", "get_result", "set_action", "output", "time", "tier"]


def told(table: hotclub.Table) -> list[tuple[str, str]]:
    """What was done, and what came of it."""
    return [
        (row["action"], row["get_result"] or row["set_action"] or row["output"])
        for row in table.rows
    ]


def test_the_flow_of_the_founding_pages_is_the_table(plain: Any) -> None:
    with hotclub.trace() as table:
        for _ in range(2):
            data = plain.get("data")
            table.step("check: data is None", output=str(data is None))
            if data is None:
                with table.timed("generate"):
                    data = "generated"
                plain.set("data", data, timeout=60)
    assert told(table) == [
        ("get('data')", "None"),
        ("check: data is None", "True"),
        ("generate", ""),
        ("set('data')", "stored, timeout 60 s"),
        ("get('data')", "'generated'"),
        ("check: data is None", "False"),
    ]
    assert [list(row) for row in table.rows] == [COLUMNS] * 6
    assert [row["step"] for row in table.rows] == [1, 2, 3, 4, 5, 6]
    assert {row["backend"] for row in table.rows if "data'" in row["action"]} == {
        type(plain).__name__
    }
    assert all(0 <= row["time"] < 5 for row in table.rows)


def test_the_printed_table_has_the_columns_of_the_founding_pages(plain: Any) -> None:
    with hotclub.trace() as table:
        plain.get("data")
    head = str(table).splitlines()
    line = next(line for line in head if "Step" in line)
    names = ["Step", "Action", "Cache backend", "Cache get result", "Cache set action", "Output"]
    places = [line.index(name) for name in names]
    assert places == sorted(places)
    assert len(table) == 1


VERBS: list[tuple[str, tuple[Any, ...], str, str]] = [
    ("get", ("k",), "get_result", "[1]"),
    ("get", ("missing", "a default"), "get_result", "None"),
    ("set", ("k", 1, None), "set_action", "stored, no timeout"),
    ("set", ("k", 1, 0), "set_action", "not kept"),
    ("add", ("k", 1), "set_action", "not stored"),
    ("add", ("new", 1), "set_action", "stored"),
    ("touch", ("k",), "output", "True"),
    ("has_key", ("missing",), "output", "False"),
    ("delete", ("k",), "set_action", "deleted"),
    ("delete", ("missing",), "set_action", "nothing to delete"),
    ("incr", ("number", 2), "", "7"),
    ("get_many", (["k", "missing"],), "get_result", "{'k': [1]}"),
    ("set_many", ({"a": 1},), "set_action", "stored"),
    ("delete_many", (["k", "missing"],), "set_action", "1 deleted"),
    ("clear", (), "set_action", "all removed"),
]


@pytest.mark.parametrize(
    ("verb", "arguments", "column", "text"), VERBS, ids=[f"{v[0]}{v[1]}" for v in VERBS]
)
@pytest.mark.parametrize("door", ["", "a"], ids=["sync", "async"])
def test_each_verb_is_a_step(
    plain: Any, door: str, verb: str, arguments: tuple[Any, ...], column: str, text: str
) -> None:
    plain.set_many({"k": [1], "number": 5})
    with hotclub.trace() as table:
        given = getattr(plain, door + verb)(*arguments)
        if door:
            asyncio.run(_await(given))
    (row,) = table.rows
    assert row["action"].startswith(f"{verb}(")
    seen = str(row[column]) if column else f"{row['get_result']}{row['set_action']}{row['output']}"  # type: ignore[literal-required]
    assert text in seen


async def _await(awaitable: Any) -> Any:
    return await awaitable


@pytest.mark.parametrize("door", ["sync", "async"])
def test_get_or_set_shows_each_step_of_its_own(plain: Any, door: str) -> None:
    def run() -> None:
        if door == "async":
            asyncio.run(plain.aget_or_set("k", lambda: "new", 60))
        else:
            plain.get_or_set("k", lambda: "new", 60)

    with hotclub.trace() as table:
        run()
        run()
    actions = [row["action"].split("(")[0] for row in table.rows]
    assert actions == ["get", "check: the value is None", "generate the value", "add", "get", "get"]


def test_nothing_is_recorded_outside_of_a_block(plain: Any) -> None:
    plain.get("before")
    with hotclub.trace() as table:
        pass
    plain.get("after")
    assert table.rows == []
    assert tracing.current.get() is None


def test_the_innermost_block_gets_the_steps(plain: Any) -> None:
    with hotclub.trace() as outer:
        plain.get("1")
        with hotclub.trace() as inner:
            plain.get("2")
        plain.get("3")
    assert [row["action"] for row in outer.rows] == ["get('1')", "get('3')"]
    assert [row["action"] for row in inner.rows] == ["get('2')"]


def test_an_exception_ends_a_recording(plain: Any) -> None:
    def fail() -> None:
        with hotclub.trace() as table:
            tables.append(table)
            plain.incr("missing")

    tables: list[hotclub.Table] = []
    for _ in range(3):
        with pytest.raises(ValueError, match="not found"):
            fail()
    assert tracing.current.get() is None
    plain.get("after")
    assert [len(table) for table in tables] == [1, 1, 1]
    assert "not found" in tables[0].rows[0]["output"]


def test_a_verb_that_raises_raises_the_same_while_recorded(plain: Any, kind: Backend) -> None:
    plain.set("k", "text")
    with hotclub.trace() as table:
        with pytest.raises((TypeError, NotAnIntegerError)):
            plain.incr("k")
        with told_of_bad_keys(kind):
            plain.get("a key with blanks")
    # An `incr` of django-redis is tried in another way before it is given up.
    actions = [row["action"] for row in table.rows]
    assert (actions[0], actions[-1]) == ("incr('k')", "get('a key with blanks')")


def told_of_bad_keys(kind: Backend) -> Any:
    """What becomes of a key that memcached would refuse."""
    if kind.refuses:
        return pytest.raises(InvalidCacheKey)
    return pytest.warns(CacheKeyWarning) if kind.warns else nullcontext()


def test_a_value_whose_repr_fails_is_recorded_all_the_same(plain: Any) -> None:
    with hotclub.trace() as table:
        plain.set("k", Unprintable())
        assert isinstance(plain.get("k"), Unprintable)
        plain.set("long", "x" * 100_000)
        plain.get("long")
    assert len(table) == 4
    assert len(str(table)) < 10_000


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_a_thread_records_for_itself_only(plain: Any) -> None:
    def other() -> None:
        plain.get("others")
        with hotclub.trace() as table:
            plain.get("own")
        tables.append(table)
        connections.close_all()

    tables: list[hotclub.Table] = []
    with hotclub.trace() as table:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        plain.get("mine")
    assert [row["action"] for row in table.rows] == ["get('mine')"]
    assert [row["action"] for row in tables[0].rows] == ["get('own')"]


def test_tasks_record_into_the_block_they_were_started_in(plain: Any) -> None:
    async def work(name: str) -> None:
        await asyncio.sleep(0)
        await plain.aget(name)

    async def main() -> tuple[hotclub.Table, hotclub.Table]:
        outside = asyncio.create_task(work("outside"))
        with hotclub.trace() as one:
            await asyncio.gather(work("a"), work("b"))
        with hotclub.trace() as other:
            await work("c")
        await outside
        return one, other

    one, other = asyncio.run(main())
    assert sorted(row["action"] for row in one.rows) == ["get('a')", "get('b')"]
    assert [row["action"] for row in other.rows] == ["get('c')"]
