"""What the driver tells the test process, and what the test process tells back.

The plan is a JSON file that an environment variable names. The answer is a journal: one JSON object a line,
written as things happen, so that a process that dies inside native code still says in which test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PLAN_VARIABLE = "HOTCLUB_UPSTREAM_PLAN"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Plan:
    """One test process: one group of one kind, or a few of its tests again."""

    kind: str
    group: str
    backend: str
    exclusions: list[str]
    locations: list[str]
    scratch: str
    match: str = ""
    only: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where the plan is written."""
        return Path(self.scratch) / "plan.json"

    @property
    def journal(self) -> Path:
        """Where the test process writes what happens."""
        return Path(self.scratch) / "journal.jsonl"

    def save(self) -> None:
        """Writes the plan into its scratch folder."""
        self.path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def load_plan() -> Plan:
    """The plan of this test process."""
    return Plan(**json.loads(Path(os.environ[PLAN_VARIABLE]).read_text(encoding="utf-8")))


class Journal:
    """Written in the test process, one line an event, flushed at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write(self, event: str, **values: Any) -> None:
        """Adds one event."""
        self._file.write(json.dumps({"event": event, **values}) + "\n")
        self._file.flush()


@dataclass
class Report:
    """A journal, read back by the driver."""

    planned: list[str] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    excluded: list[str] = field(default_factory=list)
    unused_exclusions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    instances: int = 0
    strangers: list[str] = field(default_factory=list)
    running: str = ""
    finished: bool = False

    def count(self, outcome: str) -> int:
        """How many tests ended this way."""
        return sum(1 for ended in self.outcomes.values() if ended == outcome)


def read_report(path: Path) -> Report:
    """Reads a journal, also one that stops in the middle: a planned test that never ended has failed."""
    report = Report()
    for values in _events(path):
        event = values.pop("event")
        if event == "start":
            report.running = values["test"]
        elif event == "end":
            report.outcomes[values["test"]] = values["outcome"]
            report.details[values["test"]] = values["detail"]
        elif event == "note":
            report.notes.append(values["text"])
        else:
            for name, value in values.items():
                setattr(report, name, value)
    for test in report.planned:
        if test not in report.outcomes:
            report.outcomes[test] = FAILED
            report.missing.append(test)
    return report


def _events(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        # A process that is killed while it writes leaves half a line, the last one.
        with suppress(json.JSONDecodeError):
            yield json.loads(line)
