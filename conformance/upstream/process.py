"""Runs the tests of one group in a process of their own and reads back what happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from upstream.errors import RunError
from upstream.kinds import Command
from upstream.plan import PLAN_VARIABLE, Plan, Report, read_report

# The parent of this package: the test process imports `upstream.settings` from there.
IMPORT_FOLDER = Path(__file__).resolve().parents[1]
OUTPUT_TAIL = 40

_running: set[subprocess.Popen[str]] = set()
_stopping = threading.Event()


@dataclass(frozen=True)
class Environment:
    """What all groups of one run share."""

    python: str
    sources: Path
    work: Path
    time_limit: float


@dataclass
class Run:
    """One finished test process."""

    report: Report
    problem: str = ""
    """Why it did not come to its end, with what it last printed; empty if it did."""


def scratch_folder(environment: Environment, name: str) -> Path:
    """A fresh folder for the databases, files and temporary files of one test process."""
    return Path(tempfile.mkdtemp(prefix=f"run-{name}-", dir=environment.work))


def remove_folder(folder: Path) -> None:
    """Takes a scratch folder away, also when a test left something unreadable in it."""
    shutil.rmtree(folder, ignore_errors=True)


def run_tests(environment: Environment, command: Command, plan: Plan) -> Run:
    """Runs one plan to its end, its time limit or its crash."""
    if _stopping.is_set():
        raise RunError("interrupted")
    plan.save()
    process = subprocess.Popen(
        [environment.python, "-X", "faulthandler", *command.arguments],
        cwd=environment.sources / command.folder,
        env=_variables(command, plan),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    _running.add(process)
    late = False
    try:
        output, _ = process.communicate(timeout=environment.time_limit)
    except subprocess.TimeoutExpired:
        late = True
        _end(process)
        output, _ = process.communicate()
    finally:
        _running.discard(process)
    report = read_report(plan.journal)
    return Run(report, _problem(process, report, output, environment.time_limit if late else 0.0))


def end_all() -> None:
    """Ends what is still running, by process id, when the driver is interrupted; nothing is started after."""
    _stopping.set()
    for process in list(_running):
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    # The process leads a group of its own, so what it started ends with it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _variables(command: Command, plan: Plan) -> dict[str, str]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")
    }
    variables[PLAN_VARIABLE] = str(plan.path)
    variables["PYTHONPATH"] = str(IMPORT_FOLDER)
    variables["TMPDIR"] = plan.scratch
    return variables | command.variables


def _problem(process: subprocess.Popen[str], report: Report, output: str, limit: float) -> str:
    if report.finished:
        return ""
    if limit:
        how = f"it was ended after its time limit of {limit:.0f} s"
    elif process.returncode < 0:
        how = f"it died of {signal.Signals(-process.returncode).name}"
    else:
        how = f"it ended with status {process.returncode}"
    where = (
        f", the test then running was {report.running}"
        if report.running
        else " before the first test"
    )
    tail = "\n".join(output.splitlines()[-OUTPUT_TAIL:])
    return f"the test process did not finish: {how}{where}. It last printed:\n{tail}"
