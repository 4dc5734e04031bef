"""hotclub and its Python peers in one interleaved run; see ../README.md.

``cargo xtask bench memory`` builds a release wheel and starts this, then the Rust benches.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import contestants
import facts
import report
import rows
from measure import Effort, Figure, measured

MOST_RUNS = 3
#: A target missed in this many runs counts as missed.
MISSES_THAT_COUNT = 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room", nargs="?", default="memory", help="so far only memory has benches")
    parser.add_argument(
        "--check", action="store_true", help="fail if a target is missed in 2 of 3 runs"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    parser.add_argument("--results", type=Path, default=Path("benches/results"))
    parser.add_argument("--only", default="", help="rows whose name contains this; nothing is kept")
    return parser.parse_args()


def run_once(asked: argparse.Namespace, lines: list[str]) -> list[Figure]:
    effort = Effort.quick() if asked.quick else Effort.full()
    figures = [
        figure
        for row in rows.all_rows()
        if asked.only in row.name
        for figure in measured(row, effort)
    ]
    report.print_table(figures)
    if not asked.only:
        report.write_csv(asked.results / facts.csv_name(), lines, figures)
    return figures


def missed_often(runs: list[list[Figure]]) -> list[Figure]:
    return [f for f in runs[0] if misses(runs, f) >= MISSES_THAT_COUNT]


def misses(runs: list[list[Figure]], figure: Figure) -> int:
    return sum(
        other.is_met is False
        for run in runs
        for other in run
        if (other.case, other.contestant) == (figure.case, figure.contestant)
    )


def is_undecided(runs: list[list[Figure]]) -> bool:
    """Two runs before a figure is believed; a third where they disagree."""
    disagree = any(misses(runs, figure) == 1 for figure in runs[0])
    return len(runs) < 2 or (len(runs) < MOST_RUNS and disagree)


def main() -> int:
    asked = arguments()
    if asked.room != "memory":
        print("there are no Python benches of this room")
        return 0
    if contestants.is_debug_build():
        print("hotclub was built without optimisation: build it with `maturin build --release`")
        return 2
    lines = facts.gather()
    print("\n".join(lines))
    runs = [run_once(asked, lines)]
    if not asked.check:
        report.print_missed(runs[0])
        return 0
    while is_undecided(runs):
        print(f"\nrun {len(runs) + 1} of at most {MOST_RUNS}")
        runs.append(run_once(asked, lines))
    missed = missed_often(runs)
    for figure in missed:
        print(f"MISSED in {misses(runs, figure)} of {len(runs)} runs: {figure}")
    if missed and not facts.targets_hold_here():
        print("not counted: the targets are set for CPython 3.13 without PGO")
        return 0
    if not missed:
        print("every target holds")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
