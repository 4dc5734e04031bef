"""Files side by side with Django's own class: bytes, names, modes, and what stands in the way of an entry."""

from __future__ import annotations

import datetime
import decimal
import os
import pickle
import random
import re
import shutil
import stat
import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.filebased import FileBasedCache as Djangos
from django.core.exceptions import ImproperlyConfigured
from hotclub import errors
from hotclub.django import FileBasedCache

import clocks
from redis_values import DATE, Number
from shapes import random_value, shape

#: Values and what WIRE.md says of them: the body of their files.
GOLDEN: list[tuple[Any, str]] = [
    ("hi", "789c6b609dcac600013d4c199953f40019730342"),
    (42, "789c6b60f5d6d2030003fc0129"),
    (True, "789c6b60edd003000351013c"),
    (None, "789c6b60f5d3030002dd0102"),
    (b"ab", "789c6b609dcac60001ce4c894953f400178c02eb"),
    ((1, "a"), "789c6b609dcac90001de8c3d8c8953daa6e801002328043a"),
    ({"a": 1}, "789c6b609dcac50001b5537a1813a7783316eb01002ca604a5"),
    (
        DATE,
        "789c6b609daac500013d1c298925a92599b9a953909893a73873b1bf626462666105aa99d23a25688a1e008c3d0f64",
    ),
]
NEVER, DEADLINE = "80054e2e", "8005950a000000000000004741dad274800000002e"
#: Nothing is culled.
ROOMY = {"OPTIONS": {"MAX_ENTRIES": 10**6}}
TWICE = ["ab", {"n": 1}]
VALUES: list[Any] = [
    *(value for value, _ in GOLDEN),
    False, 256, -1, 2**31, 2**80, 1.5, "é", "", b"", (), (1,), [1, 2], [], {}, {1}, frozenset({1}),
    [TWICE, TWICE], Number.SEVEN, decimal.Decimal("1.50"), uuid.UUID(int=7), datetime.date(2026, 1, 2),
    datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "x" * 70_000, os.urandom(70_000),
    {number: str(number) for number in range(3000)}, pickle.PickleBuffer,
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "deep" / "er"


@pytest.fixture
def ours(folder: Path) -> FileBasedCache:
    """Our cache in it."""
    return FileBasedCache(folder, ROOMY)


@pytest.fixture
def theirs(folder: Path) -> Djangos:
    """Django's in the same."""
    return Djangos(folder, ROOMY)


def path_of(cache: Any, key: str) -> Path:
    """The file of an entry, as Django's class names it."""
    return Path(Djangos._key_to_file(cache, key))


def test_each_reads_what_the_other_wrote(ours: Any, theirs: Any) -> None:
    chance = random.Random(6)
    values = VALUES + [random_value(chance) for _ in range(300)]
    for writer, reader in ((ours, theirs), (theirs, ours)):
        for number, value in enumerate(values):
            writer.set(number, value, chance.choice([None, 60, 60.5]))
        read = reader.get_many(range(len(values)))
        for number, value in enumerate(values):
            assert shape(read[number]) == shape(value), repr(value)[:200]
            assert shape(reader.get(number)) == shape(value)
        writer.clear()
        assert reader.get_many(range(len(values))) == {}


def test_each_sees_what_the_other_does(ours: Any, theirs: Any) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        one.set("n", 5)
        assert other.incr("n") == 6 == one.get("n")
        assert other.add("n", 1) is False
        assert other.has_key("n")
        assert other.touch("n", 100) is True
        assert one.get("n") == 6
        assert other.delete("n") is True
        assert one.get("n") is None
        assert one.delete("n") is False
        one.set("brief", 1, 0.02)
        clocks.until(lambda other=other: other.get("brief") is None)
        one.set("k", 1, version=2)
        assert other.get("k", version=2) == 1


def test_other_protocols_and_whole_numbers_as_deadlines_are_read(ours: Any, theirs: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for deadline in (None, time.time() + 60, int(time.time()) + 60, 2**40):
            body = zlib.compress(pickle.dumps(["value", protocol], protocol))
            path_of(ours, "k").write_bytes(pickle.dumps(deadline, protocol) + body)
            assert ours.get("k") == theirs.get("k") == ["value", protocol]
            assert ours.has_key("k")
            assert ours.touch("k", 60)


def test_what_djangos_touch_leaves_behind_is_ignored(ours: Any, theirs: Any) -> None:
    ours.set("k", ["value", 1], 300)
    before = path_of(ours, "k").stat().st_size
    assert theirs.touch("k", None) is True
    assert path_of(ours, "k").stat().st_size == before, "it is written in place"
    assert ours.get("k") == ["value", 1]
    assert ours.touch("k", None) is True
    assert ours.get("k") == theirs.get("k") == ["value", 1]
    theirs.set("n", 5, 300)
    theirs.touch("n", None)
    assert ours.incr("n") == 6 == theirs.get("n")
    assert path_of(ours, "n").read_bytes()[:4].hex() == NEVER


@pytest.mark.parametrize(("value", "body"), GOLDEN, ids=lambda value: repr(value)[:20])
def test_files_are_golden(ours: Any, value: Any, body: str) -> None:
    ours.set("foo", value, None)
    file = path_of(ours, "foo")
    assert file.name == "9fe685f2d059d8a11303e9e64be4cc7b.djcache"
    written = file.read_bytes()
    assert written[:4].hex() == NEVER
    golden = zlib.decompress(bytes.fromhex(body))
    assert zlib.decompress(written[4:]) == golden == pickle.dumps(value, 5)
    for head in (NEVER, DEADLINE):
        file.write_bytes(bytes.fromhex(head + body))
        assert shape(ours.get("foo")) == shape(value)


def test_the_deadline_is_a_pickled_float_before_the_value(ours: Any) -> None:
    ours.set("é", "value", 1000)
    file = path_of(ours, "é")
    assert file.name == "28be1541b2aa688fec6084a6e1a8490c.djcache"
    written = file.read_bytes()
    deadline = pickle.loads(written)
    assert type(deadline) is float
    assert 990 < deadline - time.time() <= 1000
    assert written.startswith(pickle.dumps(deadline, 5))
    assert len(pickle.dumps(deadline, 5)) == len(bytes.fromhex(DEADLINE)) == 21


def test_level_chooses_how_hard_it_is_compressed(folder: Path, theirs: Any) -> None:
    sizes = {}
    for level in range(10):
        cache = FileBasedCache(folder, {"OPTIONS": {"LEVEL": level}})
        cache.set("k", "the same again and again " * 500)
        sizes[level] = path_of(cache, "k").stat().st_size
        assert theirs.get("k") == "the same again and again " * 500
    assert sizes[0] > 12_500 > 1000 > sizes[1] >= sizes[9]


def test_only_the_owner_can_read_it(tmp_path: Path, folder: Path, ours: Any) -> None:
    before = os.umask(0)
    try:
        ours.set("k", 1)
        ours.touch("k", 60)
        ours.set("n", 1)
        ours.incr("n")
    finally:
        os.umask(before)
    assert [mode(path) for path in (tmp_path / "deep", folder)] == [0o700, 0o700]
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_path_may_be_text_a_path_or_relative(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = FileBasedCache(tmp_path / "d", {}), FileBasedCache(str(tmp_path / "d"), {})
    relative = FileBasedCache("d", {})
    monkeypatch.chdir("/")
    one.set("k", 1)
    assert other.get("k") == relative.get("k") == 1


def test_a_deleted_directory_is_made_anew(folder: Path, ours: Any) -> None:
    verbs: list[Callable[[], Any]] = [
        lambda: ours.set("k", 1),
        lambda: ours.add("k", 1),
        lambda: ours.set_many({"k": 1}),
        lambda: ours.get_or_set("k", 1),
    ]
    for verb in verbs:
        shutil.rmtree(folder.parent, ignore_errors=True)
        assert ours.get("k") is None
        assert ours.touch("k") is ours.delete("k") is ours.has_key("k") is False
        shutil.rmtree(folder.parent, ignore_errors=True)
        ours.clear()
        verb()
        assert ours.get("k") == 1
        assert mode(folder) == mode(folder.parent) == 0o700


def test_other_files_are_neither_counted_nor_cleared(folder: Path, ours: Any) -> None:
    ours.set("k", 1)
    for name in ("README", "k.djcache.bak", ".hidden", ".hotclub-notes.txt"):
        (folder / name).write_text("mine")
    (folder / "sub").mkdir()
    (folder / "sub" / "k.djcache").write_text("mine")
    assert ours.stats()["entries"] == 1
    ours.clear()
    left = {path.name for path in folder.iterdir()}
    assert left - {".hotclub.lock"} == {
        "README",
        "k.djcache.bak",
        ".hidden",
        ".hotclub-notes.txt",
        "sub",
    }
    assert (folder / "sub" / "k.djcache").read_text() == "mine"


@pytest.mark.parametrize(("frequency", "left"), [(3, 29), (0, 19), (2, 19)])
def test_culling_leaves_as_many_as_djangos(folder: Path, frequency: int, left: int) -> None:
    options = {"MAX_ENTRIES": 30, "CULL_FREQUENCY": frequency}
    for number, make in enumerate((FileBasedCache, Djangos)):
        cache = make(folder / str(number), {"OPTIONS": options})
        for turn in range(1, 50):
            cache.set(f"cull{turn}", "value", 1000)
        assert len(list((folder / str(number)).glob("*.djcache"))) == left


def test_max_bytes_bounds_the_directory_and_the_oldest_go(folder: Path) -> None:
    cache = FileBasedCache(
        folder, {"OPTIONS": {"MAX_BYTES": "100KiB", "LEVEL": 0, "MAX_ENTRIES": 10**6}}
    )
    for number in range(100):
        cache.set(f"key{number}", os.urandom(5000))
        time.sleep(0.002)
    held = sum(path.stat().st_size for path in folder.glob("*.djcache"))
    assert 50_000 < held < 110_000
    assert cache.has_key("key99")
    assert not cache.has_key("key0")
    assert cache.stats()["bytes"] == held


def test_expired_files_are_swept_without_being_read(folder: Path, ours: Any) -> None:
    ours.set_many(dict.fromkeys(range(20), "value"), 0.01)

    def swept() -> bool:
        ours.set("long", 1)
        return len(list(folder.glob("*.djcache"))) == 1

    clocks.until(swept, limit=10)
    assert ours.stats()["expired"] == 20


CORRUPT = [
    b"garbage",
    b"\x80\x05N.",
    b"\x80\x05N.garbage",
    bytes.fromhex(DEADLINE)[:9],
    b"\x00" * 200,
]


@pytest.mark.parametrize("content", CORRUPT, ids=ascii)
def test_a_corrupt_file_raises_an_error_of_both_that_names_it(ours: Any, content: bytes) -> None:
    ours.set("k", 1)
    path_of(ours, "k").write_bytes(content)
    for verb in (lambda: ours.get("k"), lambda: ours.get_many(["k"]), lambda: ours.incr("k")):
        with pytest.raises(errors.CacheDecodeError) as raised:
            verb()
        assert isinstance(raised.value, zlib.error)
        assert isinstance(raised.value, pickle.UnpicklingError)
        assert str(path_of(ours, "k")) in str(raised.value)
    ours.set("k", "written over")
    assert ours.get("k") == "written over"


def test_what_is_no_pickle_is_told_with_its_place(ours: Any) -> None:
    ours.set("k", 1)
    whole = path_of(ours, "k").read_bytes()
    head = whole[: len(pickle.dumps(0.5, 5))]
    path_of(ours, "k").write_bytes(head + zlib.compress(b"\xc1\xa5hello"))
    with pytest.raises(errors.CacheDecodeError, match=r"invalid load key.*codec=django") as raised:
        ours.get("k")
    assert str(raised.value).startswith(f"file: get failed ({ours._dir}")


def test_a_location_left_out_is_told() -> None:
    with pytest.raises(ImproperlyConfigured, match="needs a directory as its LOCATION"):
        FileBasedCache("", {})
    with pytest.raises(ImproperlyConfigured, match=r"FileBasedCache: OPTIONS\['LEVEL'\] must be"):
        FileBasedCache("x", {"OPTIONS": {"LEVEL": "best"}})
    with pytest.raises(ImproperlyConfigured, match="OPTIONS of FileBasedCache must be a dict"):
        FileBasedCache("x", {"OPTIONS": ["LEVEL"]})


def test_a_value_larger_than_all_room_is_refused_and_leaves_nothing_old(tmp_path: Path) -> None:
    cache = FileBasedCache(str(tmp_path), {"OPTIONS": {"MAX_BYTES": "100KiB", "LEVEL": 0}})
    cache.set_many({"k": "old", "other": 1})
    with pytest.raises(errors.TooLargeError, match=r"200[0-9]{3} bytes find no room in 102400"):
        cache.set("k", "x" * 200_000)
    assert cache.get_many(["k", "other"]) == {"other": 1}
    cache.set("k", "old")
    assert cache.set_many({"k": "x" * 200_000, "fits": 2}) == ["k"]
    assert cache.get_many(["k", "fits"]) == {"fits": 2}
    for number in range(5):
        cache.set(f"large{number}", "x" * 60_000)
        assert sum(file.stat().st_size for file in tmp_path.glob("*.djcache")) <= 102_400


def test_a_broken_body_is_still_a_key_that_can_be_deleted(ours: Any, theirs: Any) -> None:
    ours.set("k", "value" * 100)
    path = path_of(ours, "k")
    path.write_bytes(path.read_bytes()[:-20])
    assert ours.has_key("k") is theirs.has_key("k") is True
    for cache in (ours, theirs):
        with pytest.raises(zlib.error):
            cache.get("k")
    assert ours.delete("k") is True
    assert ours.get("k") is None


def test_a_pickle_that_does_not_load_raises_what_loading_raises(ours: Any, theirs: Any) -> None:
    ours.set("k", 1)
    path_of(ours, "k").write_bytes(
        bytes.fromhex(NEVER) + zlib.compress(b"cno_such_module\nname\n.")
    )
    for cache in (ours, theirs):
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            cache.get("k")


def test_an_empty_file_is_an_expired_one(ours: Any) -> None:
    for verb, answer in (
        (lambda: ours.get("k"), None),
        (lambda: ours.touch("k"), False),
        (lambda: ours.has_key("k"), False),
        (lambda: ours.add("k", 2), True),
    ):
        ours.set("k", 1)
        path_of(ours, "k").write_bytes(b"")
        assert verb() is answer
    path_of(ours, "k").write_bytes(b"")
    with pytest.raises(ValueError, match="Key 'k' not found"):
        ours.incr("k")


def test_deleting_an_expired_entry_is_true_as_in_django(ours: Any, theirs: Any) -> None:
    for cache in (ours, theirs):
        theirs.set("k", 1, -5)
        assert cache.delete("k") is True
        assert cache.delete("k") is False


def test_touch_of_an_expired_entry_is_false(ours: Any, theirs: Any) -> None:
    theirs.set("k", 1, -5)
    assert ours.touch("k", 60) is False
    assert ours.get("k") is None


def foreign_verbs(cache: Any) -> list[Callable[[], Any]]:
    return [
        lambda: cache.get("k"),
        lambda: cache.get_many(["k"]),
        lambda: cache.has_key("k"),
        lambda: cache.incr("k"),
        lambda: cache.touch("k", 60),
    ]


def test_a_symlink_is_not_followed(tmp_path: Path, ours: Any) -> None:
    outside = tmp_path / "outside"
    ours.set("k", "secret")
    path = path_of(ours, "k")
    path.rename(outside)
    precious = outside.read_bytes()
    path.symlink_to(outside)
    for verb in foreign_verbs(ours):
        with pytest.raises(errors.CacheError, match="symlink"):
            verb()
    ours.set("k", "new")
    assert (ours.get("k"), path.is_symlink()) == ("new", False)
    path.unlink()
    path.symlink_to(outside)
    assert ours.add("k", "newer") is True
    path.unlink()
    path.symlink_to(outside)
    assert ours.delete("k") is True
    path.symlink_to(outside)
    ours.clear()
    assert not path.is_symlink()
    assert outside.read_bytes() == precious


def test_a_directory_in_the_place_of_an_entry_is_a_clear_error(folder: Path, ours: Any) -> None:
    ours.set("other", 1)
    path = path_of(ours, "k")
    path.mkdir()
    (path / "kept").write_text("mine")
    verbs = [*foreign_verbs(ours), lambda: ours.set("k", 1), lambda: ours.delete("k")]
    for verb in verbs:
        with pytest.raises(errors.CacheError, match=re.escape(str(path))):
            verb()
    with pytest.raises(errors.CacheError):
        ours.clear()
    assert ours.get("other") is None, "all others were cleared"
    assert (path / "kept").read_text() == "mine"
    assert not list(folder.glob(".hotclub-*.tmp"))


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises((errors.CacheConnectionError, OSError, ImproperlyConfigured)) as raised:
        FileBasedCache(tmp_path / "file" / "cache", {}).set("k", 1)
    assert str(tmp_path / "file") in str(raised.value)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"MAX_BYTES": 0}, "OPTIONS['MAX_BYTES'] must be a whole number above 0"),
    ({"MAX_BYTES": "lots"}, "OPTIONS['MAX_BYTES'] must be"),
    ({"LEVEL": 10}, "OPTIONS['LEVEL'] must be a whole number from 0 to 9, not 10"),
    ({"LEVEL": -1}, "OPTIONS['LEVEL'] must be"),
    ({"LEVEL": "6"}, "OPTIONS['LEVEL'] must be"),
    ({"LEVEL": True}, "OPTIONS['LEVEL'] must be"),
    ({"LOCK_LIMIT": 0}, "OPTIONS['LOCK_LIMIT'] must be a number of seconds above 0"),
    ({"LOCK_LIMIT": "2"}, "OPTIONS['LOCK_LIMIT'] must be"),
    ({"LOCK_LIMIT": float("nan")}, "OPTIONS['LOCK_LIMIT'] must be"),
    ({"LOCK_LIMIT": float("inf")}, "OPTIONS['LOCK_LIMIT'] must be"),
    ({"LOCK_LIMIT": 1e19}, "OPTIONS['LOCK_LIMIT'] must be"),
    ({"POLICY": "lru"}, "FileBasedCache has no option 'POLICY'"),
    ({"max_bytes": 5}, "FileBasedCache has no option 'max_bytes'"),
    ({"serializer": 5}, "known are MAX_ENTRIES, CULL_FREQUENCY, MAX_BYTES, LEVEL, LOCK_LIMIT"),
]


@pytest.mark.parametrize(("options", "told"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_wrong_options_are_refused_by_name(
    folder: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(told)):
        FileBasedCache(folder, {"OPTIONS": options})


def test_stats_count_what_was_done(ours: Any) -> None:
    ours.set_many({"a": 1, "b": 2})
    ours.get("a")
    ours.get("missing")
    ours.delete("a")
    stats = ours.stats()
    assert {name: stats[name] for name in ("hits", "misses", "sets", "deleted", "entries")} == {
        "hits": 1,
        "misses": 1,
        "sets": 2,
        "deleted": 1,
        "entries": 1,
    }


class Meddling:
    """A number in whose place others are put, each of as many bytes, while it is added to."""

    def __init__(self, number: int, meddle: int = 0) -> None:
        self.number, self.meddle = number, meddle

    def __add__(self, other: int) -> Meddling:
        for turn in range(self.meddle):
            in_use.set("n", Meddling(self.number + 10 + turn), None)
        return Meddling(self.number + other)


in_use: Any = None


def test_incr_never_writes_over_what_was_written_meanwhile(ours: Any, monkeypatch: Any) -> None:
    """Not even if its file has the number, the size and the time of the one before."""
    monkeypatch.setattr(f"{__name__}.in_use", ours)
    for meddle in [1, 2, 3] * 100:
        ours.set("n", Meddling(100, meddle), None)
        assert ours.incr("n").number == 110 + meddle
        assert ours.get("n").number == 110 + meddle
