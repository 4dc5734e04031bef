"""The embedded store's benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import facts
from kit import places
from kit.room import made_by, run_once
from rooms import Bench
from sqlite_bench import rows
from sqlite_bench.contestants import ENTRIES, HOTCLUB, Arena

PEERS = ("Django", "diskcache", "asgiref")


@contextmanager
def opened(asked: argparse.Namespace) -> Iterator[Bench]:
    with places.folder(asked.folder or places.DISK) as folder:
        arena = Arena(folder)
        for name, why in arena.absent.items():
            print(f"left out: {name}: {why}")
        if asked.check and HOTCLUB in arena.absent:
            raise SystemExit(f"{HOTCLUB} is not there to be checked")
        lines = [
            *facts.gather(PEERS),
            f"{ENTRIES} entries; files on {places.described(folder)}, in WAL mode, synchronous NORMAL"
            f" where a row says nothing else; diskcache on SQLite {sqlite3.sqlite_version}, one shard",
            made_by(asked),
        ]
        yield Bench(lines, lambda: run_once(asked, lines, rows.all_rows(arena), arena.subject_of))
