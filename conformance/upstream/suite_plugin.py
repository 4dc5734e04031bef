"""The pytest plugin of the suites: chooses the tests, puts our class in place, writes down how each ended."""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found"
from fnmatch import fnmatchcase
from typing import Any

import pytest

from upstream.plan import FAILED, PASSED, SKIPPED, Journal, load_plan
from upstream.suite_substitute import InSuites
from upstream.suites import SUITES

PLAN = load_plan()
SUITE = SUITES[PLAN.kind]
JOURNAL = Journal(PLAN.journal)
RANK = {"": 0, PASSED: 1, SKIPPED: 2, FAILED: 3}
# As early as a plugin is loaded: before anyone reads a setting.
SUBSTITUTION = InSuites(PLAN, SUITE)
SUBSTITUTION.install()


def name_of(nodeid: str) -> str:
    """`tests/test_a.py::Class::test_b[group]` as `tests.test_a.Class.test_b`."""
    name = nodeid.removesuffix(f"[{PLAN.group}]")
    return name.replace(".py::", ".").replace("::", ".").replace("/", ".")


class Recorder:
    """One outcome per test: the worst of its set-up, its subtests, its call and its tear-down."""

    def __init__(self) -> None:
        self._outcome = ""
        self._details: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        found = [item for item in items if _belongs(item)]
        left_out = {item.nodeid: _exclusion(item) for item in found}
        chosen = [item for item in found if not left_out[item.nodeid] and _wanted(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
        for note in SUBSTITUTION.notes:
            JOURNAL.write("note", text=note)
        JOURNAL.write(
            "planned",
            planned=[name_of(item.nodeid) for item in chosen],
            excluded=[name_of(test) for test, pattern in left_out.items() if pattern],
            unused_exclusions=sorted(set(PLAN.exclusions) - set(left_out.values())),
        )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._outcome, self._details = "", []
        JOURNAL.write("start", test=name_of(nodeid))

    def pytest_runtest_logreport(self, report: Any) -> None:
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            # An expected failure is reported as a skip.
            outcome = PASSED if outcome == SKIPPED else outcome
        if RANK[outcome] > RANK[self._outcome]:
            self._outcome = outcome
        if outcome != PASSED:
            self._details.append(report.longreprtext or str(report.longrepr))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        # A test that ended in no outcome at all would be a hole in the counting.
        detail = "\n".join([name_of(nodeid), *self._details])
        JOURNAL.write("end", test=name_of(nodeid), outcome=self._outcome or FAILED, detail=detail)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            JOURNAL.write(
                "finished",
                finished=True,
                instances=SUBSTITUTION.instances,
                strangers=sorted(SUBSTITUTION.strangers),
            )


def pytest_configure(config: Any) -> None:
    """Registers the recorder."""
    config.pluginmanager.register(Recorder(), "upstream-recorder")


def _belongs(item: Any) -> bool:
    """django-redis gives each test once for each of its settings files."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return bool(parameters.get("cache_settings", PLAN.group) == PLAN.group)


def _wanted(item: Any) -> bool:
    name = name_of(item.nodeid)
    return (not PLAN.only or name in PLAN.only) and PLAN.match in name


def _exclusion(item: Any) -> str:
    """The pattern that leaves this test out, or nothing."""
    name = ".".join(name_of(item.nodeid).split(".")[-2:])
    return next((pattern for pattern in PLAN.exclusions if fnmatchcase(name, pattern)), "")
