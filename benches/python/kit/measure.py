"""CPU time, and wall time beside it, of short slices, the contestants in turns.

CPU is ``time.process_time``: all threads of this process, the server's and the proxy's work not in it.
Slices over sockets have two speeds, by whether the server runs on the same core: on another one, each
request wakes an idle core and each reply one more. So a row of blocking calls is measured in both placements,
and ratios are taken of the medians and of the bests, never across. Each contestant is verified before its
first slice and after its last one. The garbage collector is on and has nothing left to do when a slice
begins.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

#: What ours are called first.
OURS = "hotclub "
#: How many times hotclub's time a peer takes, at least; a peer without a number is shown and not judged.
Targets = dict[str, float]


class Cost(NamedTuple):
    """Seconds."""

    cpu: float
    wall: float


#: Does its unit of work this many times and says what that cost.
Slice = Callable[[int], Cost]


@dataclass(frozen=True, slots=True)
class Entry:
    """One contestant in one row."""

    #: Fails if the contestant does not do what is to be timed.
    verify: Callable[[], None]
    one_slice: Slice
    #: Calls of the verb in a unit of work.
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    #: Of wall time, at least.
    seconds_a_slice: float


class Efforts(NamedTuple):
    full: Effort
    quick: Effort


SHORT = Efforts(Effort(41, 0.02), Effort(7, 0.01))
#: An async unit of work takes seconds where threads answer, so there are fewer rounds of those.
LONG = Efforts(Effort(7, 0.1), Effort(3, 0.02))


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    #: Opens the contestants, in their placement; called when the row's turn has come.
    prepare: Callable[[], dict[str, Entry]]
    targets: Targets = field(default_factory=dict)
    #: None: wall time is not reported.
    wall_targets: Targets | None = None
    #: Where the server runs while the row is measured.
    placed: Callable[[], AbstractContextManager[None]] = nullcontext
    efforts: Efforts = SHORT


@dataclass(frozen=True, slots=True)
class Figure:
    """One contestant's figures in one row; microseconds a call."""

    case: str
    contestant: str
    unit: str
    median: float
    best: float
    #: Whose time the ratios are of: one of hotclub's, or while there is none Django's.
    against: str
    ratio: float
    ratio_of_bests: float
    target: float | None = None
    #: Why there are no times.
    problem: str = ""

    @property
    def is_met(self) -> bool | None:
        """A peer that fails is not beaten by that; a target against it is missed."""
        return None if self.target is None else self.worse_ratio >= self.target

    @property
    def worse_ratio(self) -> float:
        return 0.0 if self.problem else min(self.ratio, self.ratio_of_bests)

    def __str__(self) -> str:
        ratios = f"medians {self.ratio:.2f}x, bests {self.ratio_of_bests:.2f}x"
        reason = f" ({self.problem})" if self.problem else ""
        return f"{self.case}: {self.contestant}{reason}: {ratios}; target >= {self.target}x"


class Times:
    """The slices of one contestant, until it fails."""

    def __init__(self, entry: Entry, effort: Effort) -> None:
        self.entry = entry
        self.cpu: list[float] = []
        self.wall: list[float] = []
        self.problem = ""
        self.units = 1
        self.attempt(lambda: self._warm_up(effort))

    def attempt(self, work: Callable[[], None]) -> None:
        """What a contestant raises is a figure, too; a wrong value is not: it ends the bench."""
        if self.problem:
            return
        try:
            work()
        except AssertionError:
            raise
        except Exception as error:
            self.problem = f"fails: {type(error).__name__}: {error}"

    def _warm_up(self, effort: Effort) -> None:
        self.entry.verify()
        wanted = effort.seconds_a_slice
        while (seconds := self._least_wall(wanted)) < wanted / 2:
            self.units *= 2
        self.units = max(1, int(self.units * wanted / seconds))

    def _least_wall(self, wanted: float) -> float:
        """Of two slices: a neighbour's burst in one of them must not make all slices too short."""
        seconds = self.entry.one_slice(self.units).wall
        if seconds > 10 * wanted:
            return seconds
        return min(seconds, self.entry.one_slice(self.units).wall)

    def add_slice(self) -> None:
        cost = self.entry.one_slice(self.units)
        calls = self.units * self.entry.calls
        self.cpu.append(cost.cpu / calls * 1e6)
        self.wall.append(cost.wall / calls * 1e6)

    def of(self, what: str) -> list[float]:
        return self.cpu if what == "CPU" else self.wall


def measured(row: Row, effort: Effort, subject_of: Callable[[str], str]) -> list[Figure]:
    with row.placed():
        everybody = _timed_in_turns(row, effort)

    def figures(case: str, what: str, targets: Targets) -> list[Figure]:
        return [
            _figure(case, what, (name, one), (subject, everybody[subject]), targets)
            for name, one in everybody.items()
            for subject in [subject_of(name)]
        ]

    found = figures(row.name, "CPU", row.targets)
    if row.wall_targets is None:
        return found
    return found + figures(f"{row.name}; wall", "wall time", row.wall_targets)


def _timed_in_turns(row: Row, effort: Effort) -> dict[str, Times]:
    times = {name: Times(entry, effort) for name, entry in row.prepare().items()}
    names = list(times)
    for round_number in range(effort.rounds):
        # Who begins changes from round to round.
        turn = round_number % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect()
            times[name].attempt(times[name].add_slice)
    for one in times.values():
        one.attempt(one.entry.verify)
    return times


def _figure(
    case: str, what: str, own: tuple[str, Times], subject: tuple[str, Times], targets: Targets
) -> Figure:
    (name, times), (against, others) = own, subject
    slices, base = times.of(what), others.of(what)
    # Without hotclub's times every ratio is 0, which misses every target.
    has_times = not times.problem and not others.problem
    return Figure(
        case=case,
        contestant=name,
        unit=f"us of {what} a call",
        median=statistics.median(slices) if not times.problem else 0.0,
        best=min(slices) if not times.problem else 0.0,
        against=against,
        ratio=statistics.median(slices) / statistics.median(base) if has_times else 0.0,
        ratio_of_bests=min(slices) / min(base) if has_times else 0.0,
        target=targets.get(name) if against.startswith(OURS) else None,
        problem=times.problem,
    )


def timed(loop: Callable[[int], object]) -> Slice:
    """A slice of a loop that does nothing but the timed calls."""

    def one_slice(units: int) -> Cost:
        wall, cpu = time.perf_counter(), time.process_time()
        loop(units)
        return Cost(time.process_time() - cpu, time.perf_counter() - wall)

    return one_slice
