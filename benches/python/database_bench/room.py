"""The database room's benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import facts
from database_bench import databases, rows
from database_bench.contestants import HOTCLUB, ROWS, Arena
from kit import places
from kit.room import made_by, run_once
from rooms import Bench

PEERS = ("Django", "psycopg", "PyMySQL", "asgiref")


@contextmanager
def opened(asked: argparse.Namespace) -> Iterator[Bench]:
    with (
        places.folder(asked.folder or places.DISK) as folder,
        databases.servers() as (running, absent),
    ):
        for name, why in absent.items():
            print(f"left out: {name}: {why}")
        everywhere = [*databases.files(folder), *running]
        arena = Arena(everywhere)
        lines = [
            *facts.gather(PEERS),
            f"{ROWS} rows; {databases.about(folder, running)}",
            made_by(asked),
        ]
        yield Bench(
            lines,
            lambda: run_once(asked, lines, rows.all_rows(arena, everywhere), lambda _: HOTCLUB),
        )
