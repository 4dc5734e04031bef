"""The memory room's Python benches, as ``run.py`` starts them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import facts
import report
import rows
from measure import Effort, Figure, measured
from rooms import Bench

PEERS = ("Django", "cachebox", "asgiref")


@contextmanager
def opened(asked: argparse.Namespace) -> Iterator[Bench]:
    lines = facts.gather(PEERS)
    yield Bench(lines, lambda: run_once(asked, lines))


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
        report.write_csv(asked.results / facts.csv_name("memory"), lines, figures)
    return figures
