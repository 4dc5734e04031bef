"""The memcached room's benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import facts
from kit.room import made_by, run_once
from memcached_bench import rows, server
from memcached_bench.contestants import Arena, subject_of
from rooms import Bench, NothingToMeasure

PEERS = ("Django", "pymemcache", "pylibmc", "asgiref")


@contextmanager
def opened(asked: argparse.Namespace) -> Iterator[Bench]:
    if not server.is_installed():
        raise NothingToMeasure(f"no {server.PROGRAM}; on Debian or Ubuntu: apt install memcached")
    with server.started() as running:
        arena = Arena(running)
        for library, why in arena.absent.items():
            print(f"left out: what is compared with {library}: {why}")
        lines = [
            *facts.gather(PEERS),
            f"memcached {running.version} on this machine",
            made_by(asked),
        ]
        yield Bench(lines, lambda: run_once(asked, lines, rows.all_rows(arena), subject_of))
