"""The file room's benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import facts
from file_bench import rows
from file_bench.contestants import DISK, MEMORY, SOME, Arena, subject_of
from kit import places
from kit.room import made_by, run_once
from rooms import Bench

PEERS = ("Django", "diskcache", "asgiref")


@contextmanager
def opened(asked: argparse.Namespace) -> Iterator[Bench]:
    with ExitStack() as stack:
        folders = {
            name: stack.enter_context(places.folder(where))
            for name, where in _places(asked.folder).items()
        }
        arena = Arena(folders)
        where = "; ".join(f"{name}: {places.described(path)}" for name, path in folders.items())
        lines = [*facts.gather(PEERS), f"{SOME} entries; {where}", made_by(asked)]
        yield Bench(lines, lambda: run_once(asked, lines, rows.all_rows(arena), subject_of))


def _places(disk: Path | None) -> dict[str, Path]:
    found = {DISK: disk or places.DISK}
    return found | ({MEMORY: places.MEMORY} if places.MEMORY.is_dir() else {})
