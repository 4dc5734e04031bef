"""A program of eight processes on one store, one of which is killed again and again."""

from __future__ import annotations

import os
from typing import Any

import programs

#: How long the processes work. More finds more.
SECONDS = float(os.environ.get("HOTCLUB_STORM_SECONDS") or 3)

STORM = """
import asyncio, mmap, os, random, signal, struct, time, traceback
from pathlib import Path
SECONDS = {seconds}
WORKERS, ONCE = 8, 20_000
THEIRS = "theirs" in settings.CACHES
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
    # One process may read as Django does.
    whole(caches["theirs" if own == 2 and THEIRS else "default"].get(f"k{{chance.randrange(10)}}"))
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
    # It must not come to its end by itself before it is killed.
    victim = start(0, until + 10)
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
assert sum(adds) > 10 and kills > 1 and returned > 100, (sum(adds), kills, returned)
{after}
print(f"done: {{kills}} kills, {{returned}} counted, {{len(left)}} left over")
"""


def run(aliases: dict[str, Any], after: str) -> None:
    """Work so on the alias ``default``; ``after`` looks at what the dead have ``left`` over."""
    program = STORM.format(seconds=SECONDS, after=after)
    said = programs.run(program, aliases, limit=SECONDS + 40, silent=True)
    assert said.startswith("done: ")
    print(said)
