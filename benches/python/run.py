"""hotclub and its Python peers in one interleaved run; see ../README.md.

``cargo xtask bench ROOM`` builds a release wheel and starts this, then the Rust benches if the room has
some. Without a room each room is measured, in a process of its own: Django is configured once a process.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import facts
from rooms import Bench, Figure, NothingToMeasure

ROOMS = {
    "memory": "memory_room",
    "redis": "redis_bench.room",
    "memcached": "memcached_bench.room",
    "file": "file_bench.room",
    "database": "database_bench.room",
    "sqlite": "sqlite_bench.room",
}
MOST_RUNS = 3
#: A target missed in this many runs counts as missed.
MISSES_THAT_COUNT = 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room", nargs="?", choices=ROOMS, help="without one: all of them")
    parser.add_argument(
        "--check", action="store_true", help="fail if a target is missed in 2 of 3 runs"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    parser.add_argument("--results", type=Path, default=Path("benches/results"))
    parser.add_argument("--only", default="", help="rows whose name contains this; nothing is kept")
    parser.add_argument(
        "--folder", type=Path, help="where rooms with files keep them; without it: target"
    )
    return parser.parse_args()


def missed_often(runs: list[Sequence[Figure]]) -> list[Figure]:
    return [f for f in runs[0] if misses(runs, f) >= MISSES_THAT_COUNT]


def misses(runs: list[Sequence[Figure]], figure: Figure) -> int:
    return sum(
        other.is_met is False
        for run in runs
        for other in run
        if (other.case, other.contestant) == (figure.case, figure.contestant)
    )


def is_undecided(runs: list[Sequence[Figure]]) -> bool:
    """Two runs before a figure is believed; a third where they disagree."""
    disagree = any(misses(runs, figure) == 1 for figure in runs[0])
    return len(runs) < 2 or (len(runs) < MOST_RUNS and disagree)


def print_missed(figures: Sequence[Figure]) -> None:
    judged = [figure for figure in figures if figure.is_met is not None]
    missed = [figure for figure in judged if not figure.is_met]
    if judged:
        print("\nevery target holds in this run" if not missed else "")
    for figure in missed:
        print(f"missed in this run: {figure}")


def check(bench: Bench) -> int:
    runs = [bench.run_once()]
    while is_undecided(runs):
        print(f"\nrun {len(runs) + 1} of at most {MOST_RUNS}")
        runs.append(bench.run_once())
    missed = missed_often(runs)
    for figure in missed:
        print(f"MISSED in {misses(runs, figure)} of {len(runs)} runs: {figure}")
    if missed and not facts.targets_hold_here():
        print("not counted: the targets are set for CPython 3.13 without PGO")
        return 0
    if not missed:
        print("every target holds")
    return 1 if missed else 0


def measure(asked: argparse.Namespace) -> int:
    if facts.is_debug_build():
        print("hotclub was built without optimisation: build it with `maturin build --release`")
        return 2
    with importlib.import_module(ROOMS[asked.room]).opened(asked) as bench:
        print("\n".join(bench.facts))
        if asked.check:
            return check(bench)
        print_missed(bench.run_once())
        return 0


def measure_each_room() -> int:
    """Every room, even if one before it fails."""
    command = [sys.executable, *sys.orig_argv[1:]]
    return max(subprocess.run([*command, room], check=False).returncode for room in ROOMS)


def main() -> int:
    asked = arguments()
    if asked.room is None:
        return measure_each_room()
    try:
        return measure(asked)
    except NothingToMeasure as missing:
        print(f"skipped: {missing}")
        return 1 if os.environ.get("CI", "") not in ("", "0", "false") else 0


if __name__ == "__main__":
    sys.exit(main())
