"""What a figure belongs to: commit, interpreter, processor, versions of the peers."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

WITHOUT = "without PGO"


def gather(peers: Iterable[str]) -> list[str]:
    """One fact a line; the peers by the names of their packages."""
    versions = ", ".join(f"{name} {version_or_none(name)}" for name in peers)
    cores = len(os.sched_getaffinity(0))
    return [
        f"{own_version()} at commit {commit()}",
        f"{platform.python_implementation()} {platform.python_version()}"
        f" {optimisation()}; {platform.python_compiler()}",
        f"peers: {versions}",
        f"{cores} cores of {processor()}; load before the run {os.getloadavg()[0]:.2f}",
    ]


def optimisation() -> str:
    """Whether the interpreter itself was built with profile-guided optimisation."""
    if "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")):
        return "with PGO"
    if sys.base_prefix == "/usr":
        # Debian's are, by a make target that leaves no trace in the configuration.
        return "of a distribution, as a rule with PGO"
    return WITHOUT


def targets_hold_here() -> bool:
    """The ratios were set on this interpreter; a faster one makes the peers faster."""
    return sys.version_info[:2] == (3, 13) and optimisation() == WITHOUT


def csv_name(room: str) -> str:
    """A PGO build is reported beside the other."""
    return f"{room}-python.csv" if optimisation() == WITHOUT else f"{room}-python-pgo.csv"


def version_or_none(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def own_version() -> str:
    found = version_or_none("hotclub")
    if found == "none":
        return "hotclub is not installed; benches"
    return f"release build of the wheel of hotclub {found}"


def is_debug_build() -> bool:
    try:
        from hotclub._hotclub import DEBUG_BUILD
    except ImportError:
        return False
    return bool(DEBUG_BUILD)


def commit() -> str:
    short = output("git", "rev-parse", "--short", "HEAD")
    changes = output("git", "--no-optional-locks", "status", "--porcelain", "-uno")
    return f"{short} with local changes" if changes else short or "unknown"


def output(*command: str) -> str:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    return next(names, "unknown")
