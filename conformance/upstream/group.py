"""One group of one kind: run it, run failures once more alone, judge the figures."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from upstream.kinds import Exclusion, Expected, Series, Subject
from upstream.plan import FAILED, PASSED, Plan, Report
from upstream.process import Environment, Run, remove_folder, run_tests, scratch_folder
from upstream.stores import open_store

# Timing flakes come one or two at a time; this many failures at once are not flakes.
RETRIED_AT_MOST = 10


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    kind: Subject
    backend: str
    series: Series
    with_optional: bool
    ratchet: frozenset[str] = frozenset()
    """Methods that are excluded as optional, but run and must pass here: what was mirrored once stays so."""
    match: str = ""

    def runs(self, exclusion: Exclusion) -> bool:
        """Whether this one is not left out after all."""
        ratcheted = exclusion.test.rpartition(".")[2] in self.ratchet
        return exclusion.optional and (self.with_optional or ratcheted)


@dataclass
class Outcome:
    """What became of a group, ready to print."""

    name: str
    report: Report = field(default_factory=Report)
    problems: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    seconds: float = 0.0
    may_fail: int = 0

    @property
    def good(self) -> bool:
        """Whether the gate is open for this group."""
        return not self.problems and self.report.count(FAILED) <= self.may_fail


def run_group(environment: Environment, order: Order, group: str) -> Outcome:
    """Runs a group in its own process and store, then judges it."""
    started = time.monotonic()
    run = _run(environment, order, group, ())
    outcome = Outcome(f"{order.kind.name} {group}", run.report)
    if run.problem:
        outcome.problems.append(run.problem)
    else:
        _retry(environment, order, group, outcome)
    expected = None if order.match else _expected(order, group)
    outcome.may_fail = expected.may_fail if expected else 0
    outcome.problems += _judge(order, run.report, expected)
    outcome.seconds = time.monotonic() - started
    return outcome


def _run(environment: Environment, order: Order, group: str, only: tuple[str, ...]) -> Run:
    scratch = scratch_folder(environment, f"{order.kind.name}-{group}")
    try:
        with open_store(order.kind.store, scratch) as locations:
            plan = Plan(
                kind=order.kind.name,
                group=group,
                backend=order.backend,
                exclusions=_exclusions(order, group),
                locations=locations,
                scratch=str(scratch),
                match=order.match,
                only=list(only),
            )
            return run_tests(environment, order.kind.command(group), plan)
    finally:
        remove_folder(scratch)


def _exclusions(order: Order, group: str) -> list[str]:
    return [
        exclusion.test
        for exclusion in order.kind.exclusions(group, order.series)
        if not order.runs(exclusion)
    ]


def _expected(order: Order, group: str) -> Expected | None:
    """The row's figures, and the ratcheted tests on top."""
    figures = order.kind.expect(group, order.series)
    added = order.kind.exclusions(group, order.series) if order.ratchet else ()
    ratcheted = sum(order.runs(exclusion) for exclusion in added)
    return replace(figures, passed=figures.passed + ratcheted) if figures else None


def _retry(environment: Environment, order: Order, group: str, outcome: Outcome) -> None:
    """Tests with timeouts of a second fail on a busy machine: each gets one more try, alone."""
    report = outcome.report
    failed = [test for test, ended in report.outcomes.items() if ended == FAILED]
    if len(failed) > RETRIED_AT_MOST:
        outcome.retried.append(f"{len(failed)} failed, too many for timing flakes: none is retried")
        return
    for test in failed:
        again = _run(environment, order, group, (test,))
        if not again.problem and again.report.outcomes.get(test) == PASSED:
            report.outcomes[test] = PASSED
            outcome.retried.append(f"retried alone: {test} passed the second time")
        else:
            outcome.retried.append(f"retried alone: {test} failed again")


def _judge(order: Order, report: Report, expected: Expected | None) -> list[str]:
    """Everything that makes a run worthless although no test failed."""
    problems = [
        f"exclusion {pattern} matches no test: take it out" for pattern in report.unused_exclusions
    ]
    if report.finished and report.instances == 0 and not order.match:
        problems.append(f"{order.backend} was never instantiated: the tests did not test it")
    if report.strangers:
        problems.append(
            f"caches of a class that should have been replaced: {', '.join(report.strangers)}"
        )
    if not report.planned and not order.match:
        problems.append("no tests were found")
    elif expected and len(report.planned) < expected.found:
        problems.append(f"found {len(report.planned)} tests, expected at least {expected.found}")
    elif expected and report.count(PASSED) < expected.passed:
        problems.append(f"{report.count(PASSED)} passed, expected at least {expected.passed}")
    return problems
