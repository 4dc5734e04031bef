"""The command line: reads the options, runs the groups side by side, prints, gives the exit code."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from upstream.errors import RunError, ServerMissingError
from upstream.group import Order, Outcome, run_group
from upstream.kinds import GROUPS, Series, Subject
from upstream.plan import FAILED, PASSED, SKIPPED, Report
from upstream.process import Environment, end_all
from upstream.source import check_importable, check_installed, prepare
from upstream.suites import SUITES
from upstream.table import KINDS

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS: dict[str, Subject] = {**KINDS, **SUITES}


def main() -> int:
    """The command."""
    arguments = _parse()
    # The tests run in another folder. Not `resolve`: a virtual environment is found by the link's own path.
    arguments.python = os.path.abspath(shutil.which(arguments.python) or arguments.python)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _run(arguments)
    except ServerMissingError as missing:
        print(f"{arguments.kind}: skipped: {missing}")
        print(_line([]))
        return 1 if os.environ.get("CI") else 0
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(arguments: argparse.Namespace) -> int:
    work = Path(arguments.work).resolve()
    kind = SUBJECTS[arguments.kind]
    source = kind.source(arguments.django)
    if arguments.prepare:
        prepare(arguments.python, source, work)
        print(f"the tests of {source.package} {source.version} are ready")
        return 0
    backend = arguments.backend or kind.replaced
    for package, version in {"Django": arguments.django, source.package: source.version}.items():
        check_installed(arguments.python, package, version)
    check_importable(
        arguments.python,
        kind.client,
        "the tests name its exceptions: install requirements.txt there",
    )
    check_importable(arguments.python, backend, "given as --backend")
    sources = prepare(arguments.python, source, work)
    environment = Environment(arguments.python, sources, work, arguments.time_limit)
    series = _series(arguments.django)
    ratchet = _ratchet(kind, arguments.ratchet, series)
    order = Order(kind, backend, series, arguments.with_optional, ratchet, arguments.match)
    groups = _groups(kind, arguments)
    outcomes = _run_groups(environment, order, groups, arguments.jobs)
    print(_line(outcome.report for outcome in outcomes), flush=True)
    ran = any(outcome.report.outcomes for outcome in outcomes)
    return 0 if ran and all(outcome.good for outcome in outcomes) else 1


def _run_groups(
    environment: Environment, order: Order, groups: list[str], jobs: int
) -> list[Outcome]:
    outcomes = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for outcome in pool.map(lambda group: run_group(environment, order, group), groups):
                _print_outcome(outcome, order)
                outcomes.append(outcome)
        except BaseException:
            # Also on Ctrl-C and SIGTERM: without this the pool would wait for the tests to end by themselves.
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    return outcomes


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Runs Django's own cache tests, or a package's, over a cache class."
    )
    add = parser.add_argument
    add(
        "--python",
        required=True,
        help="a Python with Django, the wheel and requirements.txt installed",
    )
    add("--django", required=True, metavar="X.Y.Z", help="the Django version whose tests are run")
    add(
        "--kind",
        choices=sorted(SUBJECTS),
        default="locmem",
        help="the kind of cache, or a suite of `suites.py` (default: locmem)",
    )
    add(
        "--backend",
        metavar="PATH",
        help="dotted path of the class under test (default: Django's own)",
    )
    add("--groups", default="", help="own,generic,apps,async, or some of them (default: all)")
    add(
        "--all-settings",
        action="store_true",
        help="django-redis: all its settings files that name one server, not the plain one alone",
    )
    add(
        "--work",
        default=ROOT / "target" / "upstream",
        help="where the tests are kept (git-ignored)",
    )
    add("--jobs", type=int, default=2, metavar="N", help="groups run side by side (default: 2)")
    add("--time-limit", type=float, default=600.0, metavar="S", help="seconds for one test process")
    add(
        "--match",
        default="",
        metavar="TEXT",
        help="only tests with this text in their id; no minimum then",
    )
    add("--prepare", action="store_true", help="only fetch the tests")
    optional = parser.add_mutually_exclusive_group()
    optional.add_argument(
        "--with-optional", action="store_true", help="also run the optional exclusions"
    )
    optional.add_argument(
        "--ratchet",
        default="",
        metavar="NAMES",
        help="of the optional exclusions, run these test methods and require that they pass",
    )
    return parser.parse_args()


def _groups(kind: Subject, arguments: argparse.Namespace) -> list[str]:
    if not arguments.groups:
        return list(kind.groups if arguments.all_settings else kind.usual_groups)
    names = arguments.groups.split(",")
    known = {*GROUPS, *kind.groups}
    if unknown := set(names) - known:
        raise RunError(
            f"--groups: no such group: {', '.join(sorted(unknown))}; there are {', '.join(kind.groups)}"
        )
    return [group for group in kind.groups if group in names]


def _ratchet(kind: Subject, wanted: str, series: Series) -> frozenset[str]:
    names = frozenset(wanted.split(",")) if wanted else frozenset()
    every = [exclusion for group in kind.groups for exclusion in kind.exclusions(group, series)]
    optional = {exclusion.test.rpartition(".")[2] for exclusion in every if exclusion.optional}
    if unknown := names - optional:
        raise RunError(
            f"--ratchet: not an optional exclusion of {kind.name}: {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(optional)) or 'none'}"
        )
    return names


def _series(version: str) -> Series:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        raise RunError(f"--django {version}: not a version")
    return int(numbers[1]), int(numbers[2])


def _print_outcome(outcome: Outcome, order: Order) -> None:
    report = outcome.report
    for test, ended in report.outcomes.items():
        if ended == FAILED and test not in report.missing:
            print(f"FAILED {test}\n{report.details[test]}")
    if report.missing:
        print(
            f"FAILED {len(report.missing)} tests that did not run to their end, from {report.missing[0]}"
        )
    print(f"{outcome.name}: {_line([report])}")
    made = f", {order.backend} was instantiated {report.instances} times" if report.finished else ""
    print(f"  {outcome.seconds:.0f} s{made}")
    for line in (*report.notes, *outcome.retried, *_optional(outcome, order)):
        print(f"  {line}")
    for problem in outcome.problems:
        print(f"  ERROR: {problem}")
    sys.stdout.flush()


def _optional(outcome: Outcome, order: Order) -> list[str]:
    """What was left out, and with `--with-optional` how many of the private names are mirrored."""
    report = outcome.report
    group = outcome.name.split()[-1]
    private = {e.test for e in order.kind.exclusions(group, order.series) if e.optional}
    ran = [t for t in report.planned if ".".join(t.split(".")[-2:]) in private]
    passed = sum(1 for test in ran if report.outcomes[test] == PASSED)
    lines = [f"excluded: {len(report.excluded)}"] if report.excluded else []
    return [*lines, f"optional: {passed} of {len(ran)} passed"] if ran else lines


def _line(reports: Iterable[Report]) -> str:
    reports = list(reports)
    counts = (
        f"{sum(report.count(name) for report in reports)} {name}"
        for name in (PASSED, FAILED, SKIPPED)
    )
    return ", ".join(counts)
