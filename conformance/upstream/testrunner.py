"""The TEST_RUNNER: chooses the tests, puts our class in place and writes down how each test ended."""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found,misc"
import unittest
from fnmatch import fnmatchcase
from typing import Any

from django.conf import settings
from django.test.runner import DiscoverRunner
from django.test.utils import override_settings

from upstream import adapt, through_async
from upstream.kinds import BACKEND_CLASSES
from upstream.plan import FAILED, PASSED, SKIPPED, Journal, load_plan
from upstream.substitute import InDjangosTests
from upstream.table import KINDS

PLAN = load_plan()
KIND = KINDS[PLAN.kind]
JOURNAL = Journal(PLAN.journal)
RANK = {PASSED: 0, SKIPPED: 1, FAILED: 2}


class Result(unittest.TextTestResult):
    """Records one outcome per test: the worst of its subtests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._outcome = ""
        self._details: list[str] = []

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._outcome, self._details = "", []
        JOURNAL.write("start", test=test.id())

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        # A test that ended in no outcome at all would be a hole in the counting.
        self._end(test, self._outcome or FAILED)

    def _end(self, test: Any, outcome: str) -> None:
        JOURNAL.write("end", test=test.id(), outcome=outcome, detail="\n".join(self._details))

    def _note(self, test: Any, outcome: str, error: Any = None, detail: str = "") -> None:
        if RANK[outcome] >= RANK.get(self._outcome, 0):
            self._outcome = outcome
        if error is not None:
            detail = f"{test}\n{self._exc_info_to_string(error, test)}"  # type: ignore[attr-defined]
        if detail:
            self._details.append(detail)
        if not isinstance(test, unittest.TestCase):
            # setUpClass or a module's set-up: unittest neither starts nor stops these, so they end here.
            self._end(test, outcome)
            self._outcome, self._details = "", []

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._note(test, PASSED)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._note(test, FAILED, err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._note(test, FAILED, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, FAILED, err, detail=str(subtest))

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, SKIPPED, detail=reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._note(test, PASSED)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, FAILED, detail="passed, though the test is marked as an expected failure")


class Runner(DiscoverRunner):
    """Django's runner, with our class substituted while the tests run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.substitution = InDjangosTests(PLAN, KIND)
        self.process_wide = override_settings(CACHES=settings.CACHES)

    def build_suite(self, test_labels: Any = None, **kwargs: Any) -> Any:
        self.substitution.install()
        notes = adapt.adapt_own_tests(PLAN, KIND, self.substitution.target)
        for note in (*notes, *adapt.outsleep_the_server(PLAN, KIND)):
            JOURNAL.write("note", text=note)
        if PLAN.group == "async":
            through_async.install()
        found = [test for test in super().build_suite(test_labels, **kwargs) if _belongs(test)]
        left_out = {test.id(): _exclusion(test) for test in found}
        chosen = [test for test in found if not left_out[test.id()] and _wanted(test)]
        adapt.open_database(PLAN, KIND, chosen)
        JOURNAL.write(
            "planned",
            planned=[test.id() for test in chosen],
            excluded=[test for test, pattern in left_out.items() if pattern],
            unused_exclusions=sorted(set(PLAN.exclusions) - set(left_out.values())),
        )
        return self.test_suite(chosen)

    def setup_databases(self, **kwargs: Any) -> Any:
        config = super().setup_databases(**kwargs)
        self.process_wide.enable()
        self.substitution.watch_from_now()
        adapt.create_tables(PLAN, KIND)
        return config

    def get_resultclass(self) -> type[Result]:
        return Result

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        self.process_wide.disable()
        super().teardown_databases(old_config, **kwargs)

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        JOURNAL.write(
            "finished",
            finished=True,
            instances=self.substitution.instances,
            strangers=sorted(self.substitution.strangers),
        )
        return int(super().suite_result(suite, result, **kwargs))


def _belongs(test: Any) -> bool:
    """The generic group is `cache.tests` without the classes of the backends."""
    return PLAN.group != "generic" or type(test).__name__ not in BACKEND_CLASSES


def _wanted(test: Any) -> bool:
    return (not PLAN.only or test.id() in PLAN.only) and PLAN.match in test.id()


def _exclusion(test: Any) -> str:
    """The pattern that leaves this test out, or nothing."""
    name = ".".join(test.id().split(".")[-2:])
    return next((pattern for pattern in PLAN.exclusions if fnmatchcase(name, pattern)), "")
