"""The embedded store: where it is, what it refuses, who leaves when there is no room, and what is damaged."""

from __future__ import annotations

import asyncio
import os
import random
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone
from hotclub import errors
from hotclub.django import SQLiteCache

import sqlite_outside
from shapes import random_value, shape

#: What an entry weighs beside its key and value.
OVERHEAD = 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet, in directories that are not."""
    return tmp_path / "deep" / "er" / "cache.db"


@pytest.fixture
def cache(path: Path) -> SQLiteCache:
    """A cache in it."""
    return SQLiteCache(path, {})


def limited(path: Path, **options: Any) -> Any:
    return SQLiteCache(path, {"OPTIONS": options})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- where it is


def test_a_location_may_be_text_a_path_bytes_or_relative(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "cache.db"
    one, *others = (
        SQLiteCache(place, {})
        for place in (file, str(file), os.fsencode(file), "cache.db", "x/../cache.db")
    )
    monkeypatch.chdir("/")
    one.set("k", 1)
    assert [other.get("k") for other in others] == [1] * 4
    assert {entry.name.partition("-")[0] for entry in tmp_path.iterdir()} == {"cache.db"}


def test_only_the_owner_can_read_it(tmp_path: Path, path: Path, cache: Any) -> None:
    before = os.umask(0)
    try:
        cache.set("k", 1)
        cache.incr("k")
    finally:
        os.umask(before)
    assert [mode(folder) for folder in (tmp_path / "deep", path.parent)] == [0o700] * 2
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}


def test_no_limit_of_entries_may_be_written_out(path: Path) -> None:
    cache = SQLiteCache(path, {"OPTIONS": {"MAX_ENTRIES": None}})
    cache.set_many({str(number): number for number in range(400)})
    cache.set("more", 1)
    assert cache.stats()["entries"] == 401


def test_no_object_opens_anything_before_its_first_verb(tmp_path: Path, path: Path) -> None:
    SQLiteCache(path, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("", "needs a file as its LOCATION"),
        (None, "needs a file as its LOCATION, not None"),
        (5, "needs a file as its LOCATION, not 5"),
        ("a\0b", "needs a file as its LOCATION"),
        (":memory:", "entries in memory are kept by LocMemCache"),
        ("file:/srv/cache.db?mode=ro", "is a URL"),
        ("sqlite:///srv/cache.db", "is a URL"),
        ("~/cache.db", "nobody makes a home of the ~"),
    ],
    ids=repr,
)
def test_what_is_no_file_is_improper_configuration(location: Any, told: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(told)):
        SQLiteCache(location, {})


def each_verb(cache: Any) -> list[Callable[[], Any]]:
    return [
        lambda: cache.get("k"),
        lambda: cache.set("k", 1),
        lambda: cache.add("k", 1),
        lambda: cache.touch("k"),
        lambda: cache.delete("k"),
        lambda: cache.incr("k"),
        lambda: cache.has_key("k"),
        lambda: cache.get_many(["k"]),
        lambda: cache.set_many({"k": 1}),
        lambda: cache.delete_many(["k"]),
        lambda: cache.clear(),
        lambda: asyncio.run(cache.aget("k")),
        lambda: asyncio.run(cache.aset("k", 1)),
    ]


def refuses(place: Path, kind: type[Exception], told: str) -> None:
    """Each verb says what is wrong and where; nothing is written."""
    before = place.read_bytes() if place.is_file() else None
    for verb in each_verb(SQLiteCache(place, {})):
        with pytest.raises(kind, match=re.escape(told)) as raised:
            verb()
        assert isinstance(raised.value, errors.CacheError)
        assert f"({place})" in str(raised.value)
    assert before is None or place.read_bytes() == before


def test_a_directory_is_a_clear_error(tmp_path: Path) -> None:
    refuses(tmp_path, errors.CacheConnectionError, "is a directory")


def test_a_place_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refuses(tmp_path / "file" / "cache.db", errors.CacheConnectionError, "not a directory")


def test_a_place_that_may_not_be_written_is_a_clear_error() -> None:
    refuses(Path("/proc/cache.db"), errors.CacheConnectionError, "no such file or directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_without_permission_is_a_clear_error(path: Path, cache: Any) -> None:
    cache.set("k", 1)
    path.chmod(0o400)
    refuses(path, errors.CacheConnectionError, "permission denied")


@pytest.mark.parametrize("size", [1, 100, 511, 512, 5000])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, size: int) -> None:
    (tmp_path / "notes").write_bytes(b"n" * size)
    refuses(tmp_path / "notes", errors.CacheError, "the file is no SQLite database")
    assert [file.name for file in tmp_path.iterdir()] == ["notes"]


def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "cache.db").touch()
    cache = SQLiteCache(tmp_path / "cache.db", {})
    cache.set("k", 1)
    assert cache.get("k") == 1


FOREIGN = [
    "CREATE TABLE songs (name TEXT)",
    "CREATE TABLE cache (cache_key varchar(255) PRIMARY KEY, value text, expires datetime)",
]


@pytest.mark.parametrize("table", FOREIGN)
def test_the_file_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, table: str) -> None:
    place = tmp_path / "theirs.db"
    sqlite_outside.ask(place, table)
    refuses(place, errors.CacheConfigurationError, "holds tables that are not hotclub's")


def test_a_file_of_a_newer_form_is_refused(path: Path, cache: Any) -> None:
    cache.set("k", 1)
    cache.compact()
    sqlite_outside.ask(path, "PRAGMA user_version = 7")
    newcomer = limited(path, LOCK_LIMIT=1)
    with pytest.raises(errors.CacheConfigurationError, match="has form 7, and this release knows"):
        newcomer.get("k")
    sqlite_outside.ask(path, "PRAGMA user_version = 1")
    assert newcomer.get("k") == 1


# ---- not Django's own


def database(name: Any, **more: Any) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, **more}


def refused_beside(place: Any, name: Any, **more: Any) -> None:
    databases = {"default": {}, "site": database(name, **more)}
    raises = pytest.raises(ImproperlyConfigured, match=re.escape("DATABASES['site']"))
    with override_settings(DATABASES=databases), raises:
        SQLiteCache(place, {})


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_the_file_of_a_database_is_refused_however_it_is_spelled(
    tmp_path: Path, monkeypatch: Any
) -> None:
    site = tmp_path / "site file.db"
    monkeypatch.chdir(tmp_path)
    spelled = [site, str(site), "site file.db", f"{tmp_path}/x/../{site.name}"]
    for makes in (lambda: None, site.touch):
        makes()
        for name in (*spelled, f"file:{site}", f"file:{tmp_path}/site%20file.db?mode=rwc"):
            for place in spelled:
                refused_beside(place, name)
        refused_beside(site, ":memory:", TEST={"NAME": str(site)})
    (tmp_path / "symlink").symlink_to(site)
    os.link(site, tmp_path / "link")
    for other in ("symlink", "link"):
        refused_beside(other, site)
        refused_beside(site, other)


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_other_databases_are_no_hindrance(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    server = {"ENGINE": "django.db.backends.postgresql", "NAME": "cache"}
    aliases = {"default": server, "memory": database(":memory:"), "site": database("site.db")}
    aliases |= {"test": database("other.db", TEST=None), "shared": database("file:x?mode=memory")}
    with override_settings(DATABASES=aliases):
        cache = SQLiteCache("cache", {})
        cache.set("k", 1)
        assert cache.get("k") == 1


# ---- options

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"MAX_BYTES": 0}, "OPTIONS['MAX_BYTES'] must be a whole number above 0"),
    ({"MAX_BYTES": "lots"}, "OPTIONS['MAX_BYTES'] must be"),
    ({"MAX_BYTES": True}, "OPTIONS['MAX_BYTES'] must be"),
    ({"EVICTION": "lru"}, "OPTIONS['EVICTION'] must be one of \"use\", \"age\", \"never\", not 'lru'"),
    ({"EVICTION": None}, "OPTIONS['EVICTION'] must be"),
    ({"SYNCHRONOUS": "extra"}, 'OPTIONS[\'SYNCHRONOUS\'] must be one of "off", "normal", "full"'),
    ({"SYNCHRONOUS": 1}, "OPTIONS['SYNCHRONOUS'] must be"),
    ({"LOCK_LIMIT": 0}, "OPTIONS['LOCK_LIMIT'] must be a number of seconds above 0"),
    ({"LOCK_LIMIT": float("nan")}, "OPTIONS['LOCK_LIMIT'] must be"),
    ({"LOCK_LIMIT": 1e19}, "OPTIONS['LOCK_LIMIT'] must be"),
    ({"LEVEL": 1}, "SQLiteCache has no option 'LEVEL'"),
    ({"max_bytes": 5}, "SQLiteCache has no option 'max_bytes'"),
    ({"timeout": 5}, "known are MAX_ENTRIES, CULL_FREQUENCY, MAX_BYTES, EVICTION, SYNCHRONOUS, LOCK_LIMIT"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "told"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_wrong_options_are_refused_by_name(path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(told)):
        limited(path, **options)


@pytest.mark.parametrize("word", ["off", "normal", "full", "FULL"])
def test_each_way_to_wait_for_the_disk_keeps_what_it_is_given(path: Path, word: str) -> None:
    cache = limited(path, SYNCHRONOUS=word)
    cache.set("k", [1])
    assert cache.get("k") == [1]


# ---- values


def test_any_value_comes_back(cache: Any) -> None:
    chance = random.Random(6)
    values = [random_value(chance) for _ in range(300)]
    values += [2**63 - 1, -(2**63), 2**63, "\ud800", "", b"", "\0", "x" * 70_000]
    cache.set_many(dict(enumerate(values)))
    for found in (
        cache.get_many(range(len(values))),
        asyncio.run(cache.aget_many(range(len(values)))),
    ):
        for number, value in enumerate(values):
            assert shape(found[number]) == shape(value), repr(value)[:200]


def test_incr_adds_beyond_64_bits_and_what_is_no_whole_number(cache: Any) -> None:
    for before, delta, after in (
        (2**63 - 1, 1, 2**63),
        (-(2**63), -1, -(2**63) - 1),
        (2**63, -1, 2**63 - 1),
        (2**70, 2**70, 2**71),
        (5, 2**70, 2**70 + 5),
        (1.5, 1, 2.5),
        (1, 0.5, 1.5),
        (True, 1, 2),
        ("a", "b", "ab"),
        ([1], [2], [1, 2]),
    ):
        cache.set("n", before, 100)
        assert cache.incr("n", delta) == after == cache.get("n")
        assert type(cache.get("n")) is type(after)
    for before, delta in (("text", 1), (5, "text"), (None, 1)):
        cache.set("n", before)
        with pytest.raises(TypeError):
            cache.incr("n", delta)
        assert cache.get("n") == before


def reading(cache: Any) -> list[Callable[[], Any]]:
    verbs = [lambda: cache.get("k"), lambda: cache.get_many(["k"]), lambda: cache.incr("k")]
    return [*verbs, lambda: asyncio.run(cache.aget("k"))]


@pytest.mark.parametrize(
    ("value", "damage", "told"),
    [
        (5, "flags = 77", "the flags 77: Rust services write for Django with codec=django"),
        (5, "value = x'ff'", "a number that is none"),
        (5, "value = x''", "a number that is none"),
        ("text", "value = x'ff'", "text that is none"),
    ],
)
def test_what_no_django_wrote_is_an_error_that_says_so(
    path: Path, cache: Any, value: Any, damage: str, told: str
) -> None:
    cache.set("k", value)
    sqlite_outside.ask(path, f"UPDATE entry SET {damage}")
    for verb in reading(cache):
        with pytest.raises(errors.CacheDecodeError, match=re.escape(told)) as raised:
            verb()
        assert f"({path})" in str(raised.value)
    assert cache.has_key("k")
    cache.set("k", "written over")
    assert cache.get("k") == "written over"


def test_a_pickle_that_does_not_load_raises_what_loading_raises(path: Path, cache: Any) -> None:
    cache.set("k", [1])
    pickled = b"cno_such_module\nname\n.".hex()
    sqlite_outside.ask(path, f"UPDATE entry SET value = x'{pickled}'")
    for verb in reading(cache):
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            verb()
    assert cache.delete("k") is True


@pytest.mark.parametrize("verb", ["aset", "aadd", "aset_many", "aget_or_set"])
def test_a_deferred_query_set_is_run_where_it_may_be(cache: Any, database: Any, verb: str) -> None:
    Session.objects.all().delete()
    Session.objects.create(session_key="Stéphane", expire_date=timezone.now())

    async def main() -> None:
        rows = Session.objects.all()
        await getattr(cache, verb)(*(({"k": rows},) if verb == "aset_many" else ("k", rows)))

    async_to_sync(main)()
    assert [session.session_key for session in cache.get("k")] == ["Stéphane"]


# ---- room


@pytest.mark.parametrize(("frequency", "left"), [(3, 29), (0, 19), (2, 19)])
def test_culling_leaves_as_many_as_djangos(path: Path, frequency: int, left: int) -> None:
    cache = limited(path, MAX_ENTRIES=30, CULL_FREQUENCY=frequency)
    for turn in range(1, 50):
        cache.set(f"cull{turn}", "value", 1000)
    assert cache.stats()["entries"] == left
    assert cache.stats()["culled"] == 49 - left
    assert cache.has_key("cull49")
    assert cache.check() == []


def test_entries_have_no_limit_unless_one_is_given(cache: Any) -> None:
    cache.set_many({str(number): number for number in range(1000)})
    assert cache.stats()["entries"] == 1000


def fill(cache: Any, count: int = 100) -> None:
    for number in range(count):
        cache.set(f"key{number:02}", b"x" * 1000)


@pytest.mark.parametrize("eviction", ["use", "age", "least-recently-used"])
def test_max_bytes_bounds_the_store(path: Path, eviction: str) -> None:
    cache = limited(path, MAX_BYTES=50_000, EVICTION=eviction)
    fill(cache)
    stats = cache.stats()
    assert 40_000 < stats["bytes"] <= 50_000
    assert stats["entries"] + stats["evicted"] == 100
    assert cache.has_key("key99")
    assert cache.check() == []


def age(path: Path, what: str = "used = used - 5000, stored = stored - 5000") -> None:
    """As if all that is there were written some seconds ago."""
    sqlite_outside.ask(path, f"UPDATE entry SET {what}")


@pytest.mark.parametrize(("eviction", "is_kept"), [("use", True), ("age", False)])
def test_who_was_used_stays_or_who_came_last(path: Path, eviction: str, is_kept: bool) -> None:
    cache = limited(path, MAX_BYTES=50_000, EVICTION=eviction)
    cache.set("first", b"x" * 1000)
    fill(cache, 40)
    # The first one is the oldest of all.
    age(path)
    age(path, "stored = stored - 1 WHERE key LIKE '%first'")
    assert cache.get("first") == b"x" * 1000
    for number in range(20):
        cache.set(f"new{number}", b"x" * 1000)
    assert cache.stats()["evicted"] > 10
    assert cache.has_key("first") is is_kept


def test_never_refuses_what_finds_no_room_and_keeps_the_rest(path: Path) -> None:
    cache = limited(path, MAX_BYTES=50_000, EVICTION="never")
    with pytest.raises(errors.TooLargeError, match="find no room in 50000") as raised:
        fill(cache)
    assert f"sqlite: set failed ({path})" in str(raised.value)
    entries = cache.stats()["entries"]
    assert entries > 40
    assert cache.set_many({"more": b"x" * 1000, "small": 1}) == ["more"]
    assert asyncio.run(cache.aset_many({"more": b"x" * 1000})) == ["more"]
    assert cache.get("small") == 1
    with pytest.raises(errors.TooLargeError):
        cache.add("more", b"x" * 1000)
    # What was to be replaced is not the current value any more.
    with pytest.raises(errors.TooLargeError):
        cache.set("key00", b"x" * 5000)
    assert cache.get("key00") is None
    assert cache.stats()["entries"] == entries
    assert cache.stats()["evicted"] == 0
    cache.delete("key01")
    cache.set("more", b"x" * 1000)
    assert cache.check() == []


@pytest.mark.parametrize("eviction", ["use", "age", "never"])
def test_a_value_larger_than_all_room_is_a_clear_error(path: Path, eviction: str) -> None:
    cache = limited(path, MAX_BYTES=2000, EVICTION=eviction)
    cache.set_many({"k": 1, "other": 2})
    with pytest.raises(errors.TooLargeError, match="find no room in 2000"):
        cache.set("k", "x" * 3000)
    assert cache.get_many(["k", "other"]) == {"other": 2}, "neither the new value nor the old one"
    assert cache.set_many({"k": "x" * 3000, "l": 3}) == ["k"]
    assert cache.get_many(["k", "l", "other"]) == {"l": 3, "other": 2}


@pytest.mark.parametrize("eviction", ["use", "never"])
def test_a_sum_that_finds_no_room_is_not_made(path: Path, eviction: str) -> None:
    cache = limited(path, MAX_BYTES=2000, EVICTION=eviction)
    cache.set("k", "x" * 1000)
    with pytest.raises(errors.TooLargeError, match="sqlite: incr failed"):
        cache.incr("k", "y" * 1500)
    assert cache.get("k") == "x" * 1000
    if eviction == "never":
        cache.set("n", 9)
        cache.set("rest", "x" * (2000 - cache.stats()["bytes"] - OVERHEAD - len(":1:rest")))
        with pytest.raises(errors.TooLargeError):
            cache.incr("n")
        assert cache.get("n") == 9
        assert cache.decr("n") == 8
        assert cache.stats() | {"entries": 3, "bytes": 2000, "evicted": 0} == cache.stats()
    assert cache.check() == []
