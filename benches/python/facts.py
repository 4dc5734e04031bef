"""What a figure belongs to: commit, interpreter, processor, versions of the peers."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

WITHOUT = "without PGO"
PEERS = ("Django", "cachebox", "asgiref")


def gather() -> list[str]:
    """One fact a line."""
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    cores = len(os.sched_getaffinity(0))
    return [
        f"hotclub {version('hotclub')} at commit {commit()}; release build of the wheel",
        f"{platform.python_implementation()} {platform.python_version()}"
        f" {optimisation()}; {platform.python_compiler()}",
        f"peers: {peers}",
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


def csv_name() -> str:
    """A PGO build is reported beside the other."""
    return "memory-python.csv" if optimisation() == WITHOUT else "memory-python-pgo.csv"


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
