"""What ``run.py`` and the rooms' benches say to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Figure(Protocol):
    """One contestant in one row."""

    @property
    def case(self) -> str: ...

    @property
    def contestant(self) -> str: ...

    @property
    def is_met(self) -> bool | None:
        """None: there is no target."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A room's rows, ready to be measured."""

    facts: list[str]
    #: Prints every row, and keeps the results unless only some rows are asked for.
    run_once: Callable[[], Sequence[Figure]]


class NothingToMeasure(Exception):
    """What is missing on this machine, and how to get it."""
