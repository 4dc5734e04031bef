"""The redis room's benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import facts
from redis_bench import report, rows, server
from redis_bench.contestants import HOTCLUB, Arena
from redis_bench.measure import Effort, Figure, Row, measured
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
#: An async unit of work takes seconds where threads answer, so there are fewer rounds of those.
BLOCKING, ASYNC = Effort(41, 0.02), Effort(7, 0.1)
BLOCKING_QUICK, ASYNC_QUICK = Effort(7, 0.01), Effort(3, 0.02)


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
            f"made by `{command(asked)}`; us of CPU, all threads of the client, unless a row says wall",
        ]
        yield Bench(lines, lambda: run_once(asked, arena, lines))


def command(asked: argparse.Namespace) -> str:
    flags = [f" --{flag}" for flag in ("check", "quick") if getattr(asked, flag)]
    return "cargo xtask bench redis" + "".join(flags)


def run_once(asked: argparse.Namespace, arena: Arena, lines: list[str]) -> list[Figure]:
    figures = []
    for row in rows.all_rows(arena):
        if asked.only in row.name:
            found = measured(row, effort(row, quick=asked.quick), arena.subject)
            report.print_table(found)
            figures += found
    if not asked.only:
        report.write_csv(asked.results / facts.csv_name("redis"), lines, figures)
    return figures


def effort(row: Row, quick: bool) -> Effort:
    if row.wall_targets is None:
        return BLOCKING_QUICK if quick else BLOCKING
    return ASYNC_QUICK if quick else ASYNC
