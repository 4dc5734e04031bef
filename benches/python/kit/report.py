"""A table for people, CSV for programs."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from kit.measure import Figure

HEAD = "case,contestant,median,best,unit,against,ratio,ratio of bests,target,met"


def print_table(figures: list[Figure]) -> None:
    """One block a row and yardstick: times, and how many times the yardstick's they are."""
    for (case, against), group in groupby(figures, key=lambda one: (one.case, one.against)):
        members = list(group)
        print(f"\n{case}: {members[0].unit}, as multiples of {against}'s")
        print(f"    {'':50}{'best':>10}{'median':>10}   {'of bests':>10}{'of medians':>12}")
        for one in members:
            print(
                f"    {one.contestant:50}{one.problem or _numbers(one)}{_verdict(one)}", flush=True
            )


def _numbers(figure: Figure) -> str:
    times = f"{figure.best:>10.1f}{figure.median:>10.1f}"
    if not figure.ratio:
        return times
    return f"{times}   {figure.ratio_of_bests:>9.2f}x{figure.ratio:>11.2f}x"


def _verdict(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"  target {figure.target}x {'met' if figure.is_met else 'MISSED'}"


def write_csv(path: Path, facts: list[str], figures: list[Figure]) -> None:
    """The columns are those of ``memory-python.csv``, with the ratio of the bests beside the other."""
    lines = [f"# {fact}" for fact in facts]
    lines.append(
        "# ratio: this contestant's time by that of the one it is against; both must reach a target"
    )
    lines.append(HEAD)
    lines += [_line(figure) for figure in figures]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _line(figure: Figure) -> str:
    target = "" if figure.target is None else f">= {figure.target}"
    met = {None: "", True: "yes", False: "no"}[figure.is_met]
    if figure.problem:
        reason = figure.problem.replace(",", ";").replace("\n", " ")
        return f"{figure.case},{figure.contestant},,,{reason},,,,{target},{met}"
    times = f"{figure.median:.2f},{figure.best:.2f},{figure.unit}"
    ratios = f"{figure.against},{figure.ratio:.3f},{figure.ratio_of_bests:.3f}"
    return f"{figure.case},{figure.contestant},{times},{ratios},{target},{met}"
