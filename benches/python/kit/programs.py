"""Servers on free ports of loopback: started, kept on chosen cores, ended by their process ids."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE = 10.0


class Placement(StrEnum):
    """Where the server runs, seen from the client. Left alone, the kernel chooses anew for each slice."""

    SAME_CORE = "server on the same core"
    OTHER_CORE = "server on another core"
    FREE = ""

    def cores(self, allowed: set[int]) -> tuple[set[int], set[int]]:
        """The client's and the server's."""
        first, *others = sorted(allowed)
        match self:
            case Placement.SAME_CORE:
                return {first}, {first}
            case Placement.OTHER_CORE:
                return {first}, set(others)
            case Placement.FREE:
                return allowed, allowed

    @property
    def is_possible(self) -> bool:
        return self is not Placement.OTHER_CORE or len(os.sched_getaffinity(0)) > 1


@contextmanager
def placed(placement: Placement, servers: Iterable[int]) -> Iterator[None]:
    """Keeps all threads of the servers, of what they started, and of this process on the cores named."""
    everywhere = os.sched_getaffinity(0)
    ours, theirs = placement.cores(everywhere)
    started = {pid for server in servers for pid in _family(server)}
    cores = dict.fromkeys(started, theirs) | {os.getpid(): ours}
    for pid, chosen in cores.items():
        _keep_on(pid, chosen)
    try:
        yield
    finally:
        for pid in cores:
            _keep_on(pid, everywhere)


def _family(pid: int) -> Iterator[int]:
    """A process and what it started."""
    yield pid
    for thread in Path("/proc", str(pid), "task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(int(child))


def _keep_on(pid: int, cores: set[int]) -> None:
    # One of them may have ended since.
    with suppress(ProcessLookupError, FileNotFoundError):
        for thread in Path("/proc", str(pid), "task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


@contextmanager
def serving(command: list[str], log: Path, answers: Callable[[], bool]) -> Iterator[int]:
    """A server that answers; its process id."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    with ended_with_the_block(process):
        _wait_for_answer(process, answers, log)
        yield process.pid


def _wait_for_answer(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path
) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if answers():
            return
        time.sleep(0.02)
    said = log.read_text(errors="replace")
    raise RuntimeError(f"{process.args!r} does not answer:\n{said}")


@contextmanager
def ended_with_the_block(
    process: subprocess.Popen[str] | subprocess.Popen[bytes],
) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def allow_many_files() -> None:
    """Some contestants keep a connection a task, in async rows; what we start inherits this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
