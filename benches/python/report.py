"""A table for people, CSV for programs."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from measure import Figure

HEAD = "case,contestant,median,best,unit,against,compared,target,met"


def print_table(figures: list[Figure]) -> None:
    """One block a row: times, the median of the rounds' ratios, the ratio of the best slices."""
    print(f"\n{'ns a call':44}{'best':>10}{'median':>10}   {'ratio':>8}{'of bests':>10}")
    for case, group in groupby(figures, key=lambda figure: figure.case):
        members = list(group)
        print(case)
        for one in members:
            times = f"{_time(one.best)}{_time(one.median)}"
            ratios = f"{one.ratio:>8.2f}x{one.ratio_of_bests:>9.2f}x"
            print(f"    {one.contestant:40}{times}   {ratios}{_verdict(one)}")


def _time(nanoseconds: float) -> str:
    return f"{nanoseconds:>10.0f}"


def _verdict(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"  target {figure.target}x {'met' if figure.is_met else 'MISSED'}"


def write_csv(path: Path, facts: list[str], figures: list[Figure]) -> None:
    """The columns are those of ``memory-rust.csv``."""
    lines = [f"# {fact}" for fact in facts]
    lines.append(
        "# made by `cargo xtask bench memory`; CPU time; compared: times the yardstick's speed"
    )
    lines.append(HEAD)
    lines += [_line(figure) for figure in figures]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _line(figure: Figure) -> str:
    target = "" if figure.target is None else f">= {figure.target}"
    met = {None: "", True: "yes", False: "no"}[figure.is_met]
    times = f"{figure.median:.1f},{figure.best:.1f},ns of CPU a call"
    return (
        f"{figure.case},{figure.contestant},{times},"
        f"{figure.against},{figure.ratio:.3f},{target},{met}"
    )
