"""What a drive found out, and how it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from client import Visit

COLUMNS = (
    "Step", "Action", "Cache backend", "Cache get result", "Cache set action", "Output", "Time",
)  # fmt: skip
WIDEST = 44


@dataclass(frozen=True)
class Check:
    promise: str
    kept: bool
    seen: str


@dataclass(frozen=True)
class Timing:
    """The same question with and without the cache, in seconds over HTTP."""

    what: str
    misses: list[float]
    hits: list[float]

    @property
    def speedup(self) -> float:
        return median(self.misses) / median(self.hits)


@dataclass
class Report:
    """Everything one room showed. ``rows`` are the lines of its execution table."""

    room: str
    shared: bool
    checks: list[Check] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    rows: list[Sequence[str] | str] = field(default_factory=list)
    hit_ratio: float = 0.0
    lookups: int = 0
    _steps: int = 0

    @property
    def kept(self) -> bool:
        return bool(self.checks) and all(check.kept for check in self.checks)

    def check(self, promise: str, kept: bool, seen: str) -> None:
        self.checks.append(Check(promise, bool(kept), seen))

    def show(self, title: str, visit: Visit) -> None:
        """Adds a request to the execution table, its steps numbered on from the last."""
        answer = visit.answer
        self.rows.append(f"{title}: status {answer.status}, {milliseconds(answer.seconds)}")
        for row in visit.rows:
            self._steps += 1
            self.rows.append(
                (
                    str(self._steps),
                    row["action"],
                    row["backend"],
                    row["get_result"],
                    row["set_action"],
                    row["output"],
                    milliseconds(row["time"]) if row["time"] else "",
                )
            )

    def print(self) -> None:
        print(f"\nThe execution table ({self.room})\n")
        print_table(COLUMNS, self.rows, right=(0, 6))
        print(f"\nThe checks ({self.room})\n")
        for check in self.checks:
            print(f"  {'ok    ' if check.kept else 'FAILED'}  {check.promise}  [{check.seen}]")
        print(f"\nThe times ({self.room}), medians over HTTP\n")
        rows = [timing_row(timing) for timing in self.timings]
        print_table(("What", "Miss", "Hit", "A hit is faster by"), rows, right=(1, 2, 3))
        print(f"\n  hit ratio {self.hit_ratio:.1%} of {self.lookups} lookups")

    def summary(self) -> dict[str, Any]:
        """What the comparison of several rooms needs, fit for JSON."""
        first = self.timings[0] if self.timings else None
        return {
            "checks": f"{sum(check.kept for check in self.checks)} of {len(self.checks)}",
            "kept": self.kept,
            "miss": milliseconds(median(first.misses)) if first else "",
            "hit": milliseconds(median(first.hits)) if first else "",
            "speedup": f"{first.speedup:.0f}x" if first else "",
            "hit_ratio": f"{self.hit_ratio:.1%}",
            "shared": "yes" if self.shared else "no",
        }


def timing_row(timing: Timing) -> tuple[str, ...]:
    return (
        timing.what,
        milliseconds(median(timing.misses)),
        milliseconds(median(timing.hits)),
        f"{timing.speedup:.0f}x" if timing.speedup >= 10 else f"{timing.speedup:.1f}x",
    )


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.001 else f"{seconds * 1000:.3f} ms"


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str] | str], right: Sequence[int] = ()
) -> None:
    """Prints rows under columns; a row that is a single string is a heading across them all."""
    cells = [[shortened(cell) for cell in row] for row in rows if not isinstance(row, str)]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"  {'  '.join(padded)}".rstrip()

    print(line(columns))
    print(line(["-" * width for width in widths]))
    remaining = iter(cells)
    for row in rows:
        print(f"  {row}" if isinstance(row, str) else line(next(remaining)))


def shortened(cell: str) -> str:
    flat = " ".join(cell.split())
    return flat if len(flat) <= WIDEST else f"{flat[: WIDEST - 1]}…"
