"""The redis room's benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import facts
from kit.room import made_by, run_once
from redis_bench import rows, server
from redis_bench.contestants import HOTCLUB, Arena
from rooms import Bench, NothingToMeasure

DELAY_MS = 1.0
PEERS = (
    "Django",
    "redis",
    "hiredis",
    "django-redis",
    "django-valkey",
    "valkey",
    "libvalkey",
    "django-vcache",
    "asgiref",
)


@contextmanager
def opened(asked: argparse.Namespace) -> Iterator[Bench]:
    if not server.is_installed():
        raise NothingToMeasure(
            f"no {server.PROGRAM}; on Debian or Ubuntu: apt install redis-server"
        )
    with server.started(DELAY_MS) as running:
        arena = Arena(running)
        for name, why in arena.absent.items():
            print(f"left out: {name}: {why}")
        if asked.check and HOTCLUB in arena.absent:
            raise SystemExit(f"{HOTCLUB} is not there to be checked")
        lines = [
            *facts.gather(PEERS),
            f"redis-server {running.version} on this machine, without persistence; {DELAY_MS} ms"
            " more on replies where a row says so",
            made_by(asked),
        ]
        yield Bench(
            lines, lambda: run_once(asked, lines, rows.all_rows(arena), lambda _: arena.subject)
        )
