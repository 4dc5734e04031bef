"""One run of a room's rows, and what is kept of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

import facts
from kit import report
from kit.measure import Figure, Row, measured


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
            effort = row.efforts.quick if asked.quick else row.efforts.full
            found = measured(row, effort, subject_of)
            report.print_table(found)
            figures += found
    if not asked.only:
        report.write_csv(asked.results / facts.csv_name(asked.room), lines, figures)
    return figures
