"""Many processes in one directory, some of which die at any instruction; and a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hotclub import errors
from hotclub.django import FileBasedCache

import storm
from backends import FILES
from disks import small_disk

__all__ = ["small_disk"]

DJANGOS = "django.core.cache.backends.filebased.FileBasedCache"

AFTER = """
folder = Path(settings.CACHES["default"]["LOCATION"])
left = list(folder.glob(".hotclub-*.tmp"))
assert len(left) <= kills, left
# They belong to nobody, but are too young to be taken for that.
for path in [*left, folder / ".hotclub-1-1-1.tmp"]:
    path.touch()
    os.utime(path, (time.time() - 120,) * 2)
cache.clear()
until = time.monotonic() + 10
while list(folder.glob(".hotclub-*.tmp")):
    assert time.monotonic() < until
    cache.set("after", 1)
    time.sleep(0.05)
names = {path.name for path in folder.iterdir()}
assert names == {".hotclub.lock", Path(cache._key_to_file("after")).name}, names
"""


def test_processes_that_are_killed_lose_and_tear_nothing(tmp_path: Path) -> None:
    settings = {
        "BACKEND": FILES,
        "LOCATION": str(tmp_path / "cache"),
        "OPTIONS": {"MAX_ENTRIES": 10**6, "LOCK_LIMIT": 10},
    }
    theirs = {**settings, "BACKEND": DJANGOS, "OPTIONS": {"MAX_ENTRIES": 10**6}}
    storm.run({"default": settings, "theirs": theirs}, AFTER)


def test_a_full_disk_is_a_clear_error_and_costs_nothing_but_the_write(small_disk: Path) -> None:
    place = small_disk / "cache"
    cache: Any = FileBasedCache(place, {"OPTIONS": {"LEVEL": 0}})
    cache.set_many({"old": "value" * 1000, "n": 5, "brief": 1})
    # All that is left, to the last byte.
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(2 << 20))
    large = os.urandom(100_000)
    verbs = {
        "set": lambda: cache.set("old", large),
        "add": lambda: cache.add("new", large),
        "set_many": lambda: cache.set_many({"old": large}),
        "incr": lambda: cache.incr("n"),
        "touch": lambda: cache.touch("old", None),
    }
    for verb, write in verbs.items():
        with pytest.raises(errors.CacheConnectionError) as raised:
            write()
        assert isinstance(raised.value, OSError)
        for part in (f"file: {verb} failed", str(place), "no space left"):
            assert part in str(raised.value), verb
    assert cache.get_many(["old", "n", "new"]) == {"old": "value" * 1000, "n": 5}
    assert not list(place.glob(".hotclub-*.tmp"))
    assert cache.delete("brief") is True
    (small_disk / "filler").unlink()
    cache.set("old", large)
    assert cache.incr("n") == 6
    assert cache.touch("old", None) is True
    assert cache.get("old") == large
