"""One run of a room's rows, and what is kept of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

import facts
from sockets import report
from sockets.measure import Effort, Figure, Row, measured

#: An async unit of work takes seconds where threads answer, so there are fewer rounds of those.
BLOCKING, ASYNC = Effort(41, 0.02), Effort(7, 0.1)
BLOCKING_QUICK, ASYNC_QUICK = Effort(7, 0.01), Effort(3, 0.02)


def command(asked: argparse.Namespace) -> str:
    flags = [f" --{flag}" for flag in ("check", "quick") if getattr(asked, flag)]
    return f"cargo xtask bench {asked.room}" + "".join(flags)


def made_by(asked: argparse.Namespace) -> str:
    """The last of the facts."""
    return (
        f"made by `{command(asked)}`; us of CPU, all threads of the client, unless a row says wall"
    )


def run_once(
    asked: argparse.Namespace,
    lines: list[str],
    rows: Iterable[Row],
    subject_of: Callable[[str], str],
) -> list[Figure]:
    """``subject_of`` says for a contestant whose time its ratio is of."""
    figures = []
    for row in rows:
        if asked.only in row.name:
            found = measured(row, _effort(row, quick=asked.quick), subject_of)
            report.print_table(found)
            figures += found
    if not asked.only:
        report.write_csv(asked.results / facts.csv_name(asked.room), lines, figures)
    return figures


def _effort(row: Row, quick: bool) -> Effort:
    if row.wall_targets is None:
        return BLOCKING_QUICK if quick else BLOCKING
    return ASYNC_QUICK if quick else ASYNC
