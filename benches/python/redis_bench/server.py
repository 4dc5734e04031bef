"""A redis-server on a free port of loopback, a delaying proxy before it, and what the server saw."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import redis

PROGRAM = "redis-server"
HOST = "127.0.0.1"
#: More than there are contestants: each has a database of its own.
DATABASES = 32
PATIENCE = 10.0


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


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


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens; ``delayed_port`` is the proxy's."""

    version: str
    port: int
    delayed_port: int
    unix_socket: Path
    pid: int

    def ask(self, database: int) -> redis.Redis:
        """A client that only verifies; nothing it does is timed."""
        return redis.Redis(host=HOST, port=self.port, db=database)

    def hits(self) -> int:
        """How many keys reads have found since the start."""
        with self.ask(0) as client:
            return int(client.info("stats")["keyspace_hits"])

    @contextmanager
    def placed(self, placement: Placement) -> Iterator[None]:
        """Keeps all threads of the server and of this process on the cores that the placement names."""
        everywhere = os.sched_getaffinity(0)
        ours, its = placement.cores(everywhere)
        _keep_on(self.pid, its)
        _keep_on(os.getpid(), ours)
        try:
            yield
        finally:
            _keep_on(self.pid, everywhere)
            _keep_on(os.getpid(), everywhere)


@contextmanager
def started(delay_ms: float) -> Iterator[Server]:
    """The server and the proxy, ended by their process ids when the block ends."""
    _allow_many_files()
    with tempfile.TemporaryDirectory(prefix="hotclub-bench-") as folder:
        unix_socket = Path(folder, "redis.sock")
        with _server(folder, unix_socket) as (port, pid), _proxy(port, delay_ms) as delayed_port:
            version = str(redis.Redis(host=HOST, port=port).info("server")["redis_version"])
            yield Server(version, port, delayed_port, unix_socket, pid)


@contextmanager
def _server(folder: str, unix_socket: Path) -> Iterator[tuple[int, int]]:
    """The server's port and process id."""
    port = _free_port()
    settings = {
        "bind": HOST,
        "port": port,
        "unixsocket": unix_socket,
        "dir": folder,
        "databases": DATABASES,
        "daemonize": "no",
        # Nothing is written to disk in the middle of a slice.
        "save": "",
        "appendonly": "no",
    }
    options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    with Path(folder, "redis.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, *options], stdout=log, stderr=log)
    with _ended_with_the_block(process):
        _wait_for_answer(process, port, Path(folder, "redis.log"))
        yield port, process.pid


@contextmanager
def _proxy(port: int, delay_ms: float) -> Iterator[int]:
    """In a process of its own, so that its work is not counted as the client's."""
    program = Path(__file__).with_name("delay.py")
    command = [sys.executable, str(program), str(port), str(delay_ms)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with _ended_with_the_block(process):
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def _ended_with_the_block(
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


def _keep_on(pid: int, cores: set[int]) -> None:
    for thread in Path("/proc", str(pid), "task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def _allow_many_files() -> None:
    """Some contestants keep a connection a task, in both async rows; what we start inherits this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    client = redis.Redis(host=HOST, port=port)
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.02)
        else:
            client.close()
            return
    raise RuntimeError(f"{PROGRAM} does not answer:\n{log.read_text(errors='replace')}")
