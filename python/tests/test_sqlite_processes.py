"""Many processes on one embedded store, some of which die at any instruction; and a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hotclub import errors
from hotclub.django import SQLiteCache

import storm
from backends import SQLITE
from disks import small_disk

__all__ = ["small_disk"]

AFTER = """
left = [path.name for path in Path(settings.CACHES["default"]["LOCATION"]).parent.iterdir()]
left = sorted(set(left) - {"cache.db", "cache.db-wal", "cache.db-shm"})
assert left == [], left
assert cache.check() == []
assert cache.stats()["entries"] > 3
cache.clear()
assert cache.check() == []
assert cache.stats()["entries"] == 0
"""


@pytest.mark.parametrize("synchronous", ["off", "normal"])
def test_processes_that_are_killed_lose_and_tear_nothing(tmp_path: Path, synchronous: str) -> None:
    settings = {
        "BACKEND": SQLITE,
        "LOCATION": str(tmp_path / "store" / "cache.db"),
        "OPTIONS": {"LOCK_LIMIT": 20, "SYNCHRONOUS": synchronous},
    }
    storm.run({"default": settings}, AFTER)


def test_a_full_disk_is_a_clear_error_and_costs_nothing_but_the_write(small_disk: Path) -> None:
    place = small_disk / "store" / "cache.db"
    cache: Any = SQLiteCache(place, {})
    cache.set_many({"old": "value" * 1000, "n": 5, "brief": 1})
    # All that is left, to the last byte.
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(2 << 20))
    large = os.urandom(400_000)
    verbs = {
        "set": lambda: cache.set("old", large),
        "add": lambda: cache.add("new", large),
        "set_many": lambda: cache.set_many({"old": large}),
    }
    for verb, write in verbs.items():
        with pytest.raises(errors.CacheConnectionError) as raised:
            write()
        assert isinstance(raised.value, OSError)
        for part in (f"sqlite: {verb} failed", str(place)):
            assert part in str(raised.value), verb
        assert "no space left" in str(raised.value) or "full" in str(raised.value), raised.value
    assert cache.get_many(["old", "n", "new"]) == {"old": "value" * 1000, "n": 5}
    (small_disk / "filler").unlink()
    cache.set("old", large)
    assert cache.incr("n") == 6
    assert cache.touch("old", None) is True
    assert cache.get("old") == large
    assert cache.check() == []
