"""Fetches source distributions, which carry the tests, with the ordinary pip client.

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
from upstream.kinds import Source

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


def check_installed(python: str, package: str, version: str) -> None:
    """The environment must hold exactly the release whose tests are run."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    found = ask(python, code).stdout.strip()
    if found != version:
        raise RunError(
            f"{python} has {f'{package} {found}' if found else f'no {package}'}, the tests are those of "
            f"{version}; try: {python} -m pip install {package}=={version}"
        )


def check_importable(python: str, path: str, why: str) -> None:
    """A module, or a class in one, must be importable; if it is not, its own error is shown."""
    module, _, name = path.rpartition(".")
    code = f"getattr(importlib.import_module({module!r}), {name!r})" if module else f"import {path}"
    if path and (answer := ask(python, f"import importlib; {code}")).returncode != 0:
        raise RunError(f"{path} cannot be imported by {python} ({why}):\n{answer.stderr.rstrip()}")


def prepare(python: str, source: Source, work: Path) -> Path:
    """Returns the folder of this source distribution, fetched and unpacked if it was not there yet."""
    name = f"{source.package.lower()}-{source.version}"
    folder = work / name
    work.mkdir(parents=True, exist_ok=True)
    with _locked(work / f"{name}.lock"):
        if not (folder / source.proof).exists():
            scratch = Path(tempfile.mkdtemp(prefix="fetch-", dir=work))
            try:
                _unpack(_download(python, source, scratch), source, scratch / "unpacked")
                # A rename is all or nothing: nobody ever sees half a folder. One without the proof is of an
                # older runner, which kept less of the source distribution.
                shutil.rmtree(folder, ignore_errors=True)
                (scratch / "unpacked").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(python: str, source: Source, folder: Path) -> Path:
    wanted = f"{source.package}=={source.version}"
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", ":all:", "--dest", str(folder), wanted]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"pip did not fetch {wanted} within {FETCH_LIMIT:.0f} s") from error
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode != 0 or len(archives) != 1:
        raise RunError(
            f"pip could not fetch the source distribution {wanted} (no network, no pip in the "
            f"environment, or no such version for this Python):\n{done.stderr.rstrip()}"
        )
    return archives[0]


def _unpack(archive: Path, source: Source, target: Path) -> None:
    """Unpacks only the tests, so that the package beside them cannot be imported by accident."""
    with tarfile.open(archive) as tar:
        for member in tar:
            member.name = re.sub(r"^[^/]+/", "", member.name)
            if member.name.startswith(source.keep):
                tar.extract(member, target, filter="data")
    if not (target / source.proof).is_file():
        raise RunError(f"{archive.name} has no {source.proof}")
