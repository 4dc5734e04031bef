"""Many processes in one directory, some of which die at any instruction; and a disk that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hotclub import errors
from hotclub.django import FileBasedCache

import programs
from backends import FILES

#: How long the processes work. More finds more.
SECONDS = float(os.environ.get("HOTCLUB_STORM_SECONDS") or 3)

STORM = """
import asyncio, mmap, os, random, signal, struct, time, traceback
from pathlib import Path
SECONDS = {seconds}
WORKERS, ONCE = 8, 20_000
# How many incr of each worker returned, and how many were told that a key of add was theirs.
noted = mmap.mmap(-1, 8 * (WORKERS + ONCE))

def note(place):
    (count,) = struct.unpack_from("q", noted, 8 * place)
    struct.pack_into("q", noted, 8 * place, count + 1)

def notes(begin, end):
    return struct.unpack_from(f"{{end - begin}}q", noted, 8 * begin)

def value(own, turn):
    return {{"own": own, "turn": turn, "rest": [f"{{own}}-{{turn}}"] * 100}}

def whole(found):
    assert found is None or found == value(found["own"], found["turn"]), "a torn value"

def turn(own, turn, chance):
    key = f"k{{chance.randrange(10)}}"
    cache.set(key, value(own, turn), chance.choice([None, 60, 0.001]))
    # One process reads as Django does.
    whole(caches["theirs" if own == 2 else "default"].get(f"k{{chance.randrange(10)}}"))
    assert cache.incr("total") > 0
    note(own)
    cache.incr("also", 2)
    if turn < ONCE and cache.add(f"once{{turn}}", own):
        note(WORKERS + turn)
    cache.touch(key, 60)
    cache.add("a" + key, value(own, turn))
    if chance.random() < 0.3:
        cache.delete(chance.choice([key, "a" + key]))

async def aturn(own, turn, chance):
    key = f"k{{chance.randrange(10)}}"
    await cache.aset(key, value(own, turn), chance.choice([None, 60, 0.001]))
    for found in (await cache.aget_many([f"k{{n}}" for n in range(10)])).values():
        whole(found)
    assert await cache.aincr("total") > 0
    note(own)
    if turn < ONCE and await cache.aadd(f"once{{turn}}", own):
        note(WORKERS + turn)
    await cache.atouch(key, 60)
    if chance.random() < 0.3:
        await cache.adelete(key)

def work(own, until):
    chance, number = random.Random(), 0
    with asyncio.Runner() as runner:
        while time.monotonic() < until:
            if own == 1:
                runner.run(aturn(own, number, chance))
            else:
                turn(own, number, chance)
            number += 1

def start(own, until):
    child = os.fork()
    if child == 0:
        signal.alarm(int(SECONDS) + 20)
        try:
            work(own, until)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child

cache.set_many({{"total": 0, "also": 0}}, None)
until = time.monotonic() + SECONDS
children = [start(own, until) for own in range(1, WORKERS)]
kills, chance = 0, random.Random()
while time.monotonic() < until - 0.1:
    victim = start(0, until)
    time.sleep(chance.uniform(0.01, 0.06))
    os.kill(victim, signal.SIGKILL)
    _, status = os.waitpid(victim, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, status
    kills += 1
for child in children:
    _, status = os.waitpid(child, 0)
    assert status == 0, status

total, returned = cache.get("total"), sum(notes(0, WORKERS))
assert returned <= total <= returned + kills, (returned, total, kills)
assert cache.get("also") % 2 == 0
adds = notes(WORKERS, WORKERS + ONCE)
assert set(adds) <= {{0, 1}}, "two were told that it was theirs"
assert sum(adds) > 10 and kills > 5 and returned > 100, (sum(adds), kills, returned)
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
names = {{path.name for path in folder.iterdir()}}
assert names == {{".hotclub.lock", Path(cache._key_to_file("after")).name}}, names
print(f"done: {{kills}} kills, {{returned}} counted, {{len(left)}} left over")
"""


def test_processes_that_are_killed_lose_and_tear_nothing(tmp_path: Path) -> None:
    settings = {
        "BACKEND": FILES,
        "LOCATION": str(tmp_path / "cache"),
        "OPTIONS": {"MAX_ENTRIES": 10**6, "LOCK_LIMIT": 10},
    }
    theirs = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache"}
    said = programs.run(
        STORM.format(seconds=SECONDS),
        {"default": settings, "theirs": {**theirs, "LOCATION": settings["LOCATION"]}},
        limit=SECONDS + 40,
        silent=True,
    )
    assert said.startswith("done: ")
    print(said)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=1000", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily, since a store keeps the file of its locks open.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


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
