"""Fetches Django's source distribution, which carries the tests, with the ordinary pip client.

Several runs may prepare at once: the first takes a lock and fetches, the others wait and find it done.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upstream.errors import RunError

FETCH_LIMIT = 600.0
QUESTION_LIMIT = 60.0


def ask(python: str, code: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of Python in the caller's virtual environment."""
    try:
        return subprocess.run(
            [python, "-c", code],
            capture_output=True,
            text=True,
            timeout=QUESTION_LIMIT,
            check=False,
        )
    except OSError as error:
        raise RunError(f"--python {python}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise RunError(f"--python {python}: no answer after {QUESTION_LIMIT:.0f} s") from error


def check_django(python: str, version: str) -> None:
    """The environment must hold exactly the Django whose tests are run."""
    answer = ask(python, "import django; print(django.get_version())")
    if answer.returncode != 0:
        raise RunError(
            f"Django cannot be imported by {python}; try: {python} -m pip install Django=={version}"
        )
    found = answer.stdout.strip()
    if found != version:
        raise RunError(
            f"{python} has Django {found}, the tests are those of {version}; install that one there"
        )


def check_importable(python: str, path: str, why: str) -> None:
    """A module, or a class in one, must be importable; if it is not, its own error is shown."""
    module, _, name = path.rpartition(".")
    code = f"getattr(importlib.import_module({module!r}), {name!r})" if module else f"import {path}"
    if path and (answer := ask(python, f"import importlib; {code}")).returncode != 0:
        raise RunError(f"{path} cannot be imported by {python} ({why}):\n{answer.stderr.rstrip()}")


def prepare(python: str, version: str, work: Path) -> Path:
    """Returns the folder `tests` of this Django version, fetched and unpacked if it was not there yet."""
    tests = work / f"django-{version}" / "tests"
    work.mkdir(parents=True, exist_ok=True)
    with _locked(work / f"django-{version}.lock"):
        if not tests.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix="fetch-", dir=work))
            try:
                _unpack_tests(_download(python, version, scratch), scratch / "unpacked")
                # A rename is all or nothing: nobody ever sees half a folder.
                (scratch / "unpacked").rename(tests.parent)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return tests


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(python: str, version: str, folder: Path) -> Path:
    command = [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    command += ["--no-binary", ":all:", "--dest", str(folder), f"Django=={version}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"pip did not fetch Django {version} within {FETCH_LIMIT:.0f} s") from error
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode != 0 or len(archives) != 1:
        raise RunError(
            f"pip could not fetch the source distribution of Django {version} (no network, no pip in the "
            f"environment, or no such version for this Python):\n{done.stderr.rstrip()}"
        )
    return archives[0]


def _unpack_tests(archive: Path, target: Path) -> None:
    """Unpacks only `tests/`, so that the Django under it cannot be imported by accident."""
    with tarfile.open(archive) as tar:
        for member in tar:
            member.name = re.sub(r"^[^/]+/", "", member.name)
            if member.name.startswith("tests/"):
                tar.extract(member, target, filter="data")
    if not (target / "tests" / "runtests.py").is_file():
        raise RunError(f"{archive.name} has no tests/runtests.py")
