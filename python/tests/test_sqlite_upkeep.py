"""The embedded store looked after: what is over, damaged, removed, or in other hands."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hotclub import errors
from hotclub.django import SQLiteCache

import clocks
import sqlite_outside

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


# ---- upkeep


def test_expire_takes_out_all_that_is_over(cache: Any) -> None:
    cache.set_many({f"brief{number}": number for number in range(600)}, 0.05)
    cache.set_many({"long": 1, "ever": 2}, None)
    clocks.until(lambda: not cache.has_key("brief599"))
    before = cache.stats()["expired"]
    assert cache.expire() == 600 - before
    assert cache.stats() | {"entries": 2, "expired": 600} == cache.stats()
    assert cache.expire() == asyncio.run(cache.aexpire()) == 0
    assert cache.check() == asyncio.run(cache.acheck()) == []


def test_compact_gives_space_back(path: Path, cache: Any) -> None:
    cache.set_many({str(number): os.urandom(10_000) for number in range(200)})
    full = cache.volume()
    assert full >= 2_000_000
    assert full == sum(Path(f"{path}{end}").stat().st_size for end in ("", "-wal"))
    cache.delete_many([str(number) for number in range(1, 200)])
    kept = cache.get("0")
    cache.compact()
    assert cache.volume() < 50_000
    assert cache.get("0") == kept
    asyncio.run(cache.acompact())
    assert cache.check() == []


def test_stats_count_what_was_done(cache: Any) -> None:
    cache.set_many({"a": 1, "b": 2})
    cache.get("a")
    cache.get("missing")
    cache.delete("a")
    assert cache.stats() == {
        "hits": 1,
        "misses": 1,
        "sets": 2,
        "expired": 0,
        "evicted": 0,
        "culled": 0,
        "deleted": 1,
        "entries": 1,
        "bytes": len(":1:b") + len("2") + OVERHEAD,
    }


@pytest.mark.parametrize("damage", ["UPDATE total SET entries = 7", "DELETE FROM total"])
def test_repair_counts_totals_anew(path: Path, cache: Any, damage: str) -> None:
    cache.set_many({"a": 1, "b": 2})
    sqlite_outside.ask(path, damage)
    (finding,) = cache.check()
    assert "totals" in finding
    assert asyncio.run(cache.acheck()) == [finding]
    (done,) = cache.repair()
    assert done.startswith("the totals are 2 entries of ")
    assert cache.check() == cache.repair() == asyncio.run(cache.arepair()) == []
    assert cache.get_many(["a", "b"]) == {"a": 1, "b": 2}


DAMAGES: dict[str, tuple[int, int]] = {"its header": (0, 100), "its pages": (4096, 40_000)}


def spoil(cache: Any, path: Path, damage: str) -> None:
    """Fills the file and writes over a part of it."""
    cache.set_many({str(number): "value" * 100 for number in range(200)})
    cache.compact()
    start, length = DAMAGES[damage]
    with open(path, "r+b", buffering=0) as file:
        file.seek(start)
        file.write(random.Random(1).randbytes(length))


@pytest.fixture
def companion(path: Path) -> Iterator[Callable[[str], str]]:
    """``companion("cache.get('k')")``: what another process says, which has the file open."""
    with sqlite_outside.colleague(path) as ask:
        yield ask


@pytest.mark.parametrize("door", ["sync", "async"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_repair_sets_a_damaged_file_aside_and_all_others_follow(
    path: Path, cache: Any, damage: str, door: str, companion: Any
) -> None:
    cache.set("k", 1)
    assert companion("cache.get('k')") == "1"
    spoil(cache, path, damage)
    findings = cache.check()
    assert findings
    (done,) = cache.repair() if door == "sync" else asyncio.run(cache.arepair())
    assert done.startswith("the file was damaged: it is ")
    (aside,) = (
        file for file in path.parent.iterdir() if re.fullmatch(r".*\.damaged-\d+", file.name)
    )
    assert str(aside) in done
    assert cache.check() == []
    assert cache.get_many(map(str, range(200))) == {}
    cache.set("k", "new")
    assert companion("cache.get('k')") == "'new'"
    assert companion("cache.set('n', 5)") == "None"
    assert cache.get("n") == 5
    assert companion("cache.check()") == "[]"
    assert cache.stats()["entries"] == 2


@pytest.mark.parametrize("ends", [("",), ("", "-wal", "-shm"), ("", "-wal"), ("-wal", "-shm", "")])
def test_a_file_that_is_removed_is_made_anew_for_all(
    path: Path, cache: Any, ends: tuple[str, ...], companion: Any
) -> None:
    """Though another process that does nothing still has the old one."""
    cache.set_many({str(number): number for number in range(100)})
    assert companion("cache.get('7')") == "7"
    for end in ends:
        Path(f"{path}{end}").unlink()
    assert cache.get("7") is None
    cache.set("k", "new")
    assert cache.check() == []
    assert companion("cache.get('k')") == "'new'"
    assert companion("cache.incr('n')").startswith("ValueError")
    assert companion("cache.set('n', 1)") == "None"
    assert cache.incr("n") == 2
    shutil.rmtree(path.parent)
    cache.set("k", 1)
    assert companion("cache.get('k')") == "1"
    assert mode(path.parent) == 0o700


def test_a_file_that_another_one_replaces_is_read_at_the_next_verb(
    tmp_path: Path, path: Path, cache: Any
) -> None:
    cache.set("k", "old")
    other = tmp_path / "other.db"
    with sqlite_outside.colleague(other) as fill:
        assert fill("cache.set('k', 'new'), cache.compact()") == "(None, None)"
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()
        Path(f"{other}{end}").unlink(missing_ok=True)
    other.rename(path)
    assert cache.get("k") == "new"
    assert asyncio.run(cache.aget("k")) == "new"


# ---- beside others


def test_who_looks_into_the_file_takes_nothing_away(path: Path, cache: Any) -> None:
    """Several connections of ours are open; whoever closes theirs last would remove the log."""

    async def main() -> None:
        await asyncio.gather(*(cache.aset(f"large{n}", os.urandom(2 << 20)) for n in range(8)))

    asyncio.run(main())
    counting = "SELECT count(*) FROM entry"
    for expected in range(8, 12):
        assert sqlite_outside.ask(path, counting) == [[(expected,)]]
        cache.set(f"after{expected}", 1)
        assert Path(f"{path}-wal").exists()


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_lock_that_others_hold_is_an_error_that_says_so(path: Path, statement: str) -> None:
    cache = limited(path, LOCK_LIMIT=0.2)
    cache.set_many({"k": 1, "n": 5})
    with sqlite_outside.holding(path, statement):
        for verb in (
            lambda: cache.set("k", 2),
            lambda: cache.incr("n"),
            lambda: cache.delete("k"),
            lambda: cache.clear(),
            lambda: asyncio.run(cache.aset("k", 2)),
            lambda: asyncio.run(cache.aincr("n")),
        ):
            with pytest.raises(errors.CacheTimeoutError, match=r"for more than 0\.2 s") as raised:
                verb()
            assert isinstance(raised.value, OSError)
        assert cache.get("k") == asyncio.run(cache.aget("k")) == 1, "readers need no lock"
        assert cache.get_many(["k", "n"]) == {"k": 1, "n": 5}
    cache.set("k", 2)
    assert cache.get("k") == 2


def test_who_reads_for_long_holds_nobody_up(path: Path, cache: Any) -> None:
    cache.set("k", 1)
    # The copy that it reads from is that of now: a plain BEGIN reads nothing yet.
    with sqlite_outside.holding(path, "BEGIN", "SELECT count(*) FROM entry"):
        cache.set("k", 2)
        assert cache.get("k") == 2
