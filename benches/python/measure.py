"""CPU time of short slices, the contestants in turns.

``time.process_time`` counts all threads of the process. The garbage collector is on, as in a server,
and its state is made equal before each slice. Ratios are taken within a round, whose slices are
neighbours in time and suffer the same noise; the median of the rounds' ratios is what targets judge.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import contestants

#: Calls the timed verb this many times and returns how many CPU seconds that took.
Slice = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    seconds_a_slice: float

    @classmethod
    def full(cls) -> Effort:
        return cls(41, 0.004)

    @classmethod
    def quick(cls) -> Effort:
        return cls(7, 0.002)


@dataclass(frozen=True, slots=True)
class Row:
    """One operation: its contestants, each verified, and what hotclub must reach."""

    name: str
    #: Makes the slices, verified; called when the row's turn has come.
    prepare: Callable[[], dict[str, Slice]]
    #: Least ratio of the yardstick's time to hotclub's.
    target: float | None = None
    yardstick: str = contestants.DJANGO
    candidate: str = contestants.HOTCLUB
    most_rounds: int = 1000
    most_calls: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One contestant's figures in one row; times in nanoseconds of CPU a call."""

    case: str
    contestant: str
    median: float
    best: float
    against: str
    #: Median over the rounds of the yardstick's time divided by this one's.
    ratio: float
    #: The same of the best slices.
    ratio_of_bests: float
    target: float | None = None

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.ratio >= self.target

    def __str__(self) -> str:
        return (
            f"{self.case}: {self.ratio:.2f}x {self.against}"
            f" ({self.ratio_of_bests:.2f}x by best slices); target >= {self.target}x"
        )


def measured(row: Row, effort: Effort) -> list[Figure]:
    slices = row.prepare()
    calls = {name: calibrated(one, effort, row.most_calls) for name, one in slices.items()}
    times: dict[str, list[float]] = {name: [] for name in slices}
    names = list(slices)
    for round_number in range(min(effort.rounds, row.most_rounds)):
        # Who begins changes from round to round.
        turn = round_number % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect(0)
            times[name].append(slices[name](calls[name]) / calls[name] * 1e9)
    return [figure(row, name, times) for name in slices]


def calibrated(one: Slice, effort: Effort, most_calls: int) -> int:
    """How many calls fill a slice; warms the contestant up."""
    calls = 1
    while (seconds := one(calls)) < effort.seconds_a_slice / 2 and calls < most_calls:
        calls *= 2
    wanted = int(calls * effort.seconds_a_slice / max(seconds, 1e-9))
    return max(1, min(wanted, most_calls))


def figure(row: Row, name: str, times: dict[str, list[float]]) -> Figure:
    own, other = times[name], times[row.yardstick]
    return Figure(
        case=row.name,
        contestant=name,
        median=statistics.median(own),
        best=min(own),
        against=row.yardstick,
        ratio=statistics.median(b / a for a, b in zip(own, other, strict=True)),
        ratio_of_bests=min(other) / min(own),
        target=row.target if name == row.candidate else None,
    )


def timed(loop: Callable[[int], Any]) -> Slice:
    """A slice of a loop that does nothing but the timed calls."""

    def one_slice(calls: int) -> float:
        began = time.process_time()
        loop(calls)
        return time.process_time() - began

    return one_slice
