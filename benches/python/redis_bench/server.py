"""A redis-server on a free port of loopback, a delaying proxy before it, and what the server saw."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis

from kit.contestants import PREFIX, TIMEOUT
from kit.programs import (
    HOST,
    Placement,
    allow_many_files,
    ended_with_the_block,
    free_port,
    placed,
    serving,
)

PROGRAM = "redis-server"
#: More than there are contestants: each has a database of its own.
DATABASES = 32


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens; ``delayed_port`` is the proxy's."""

    version: str
    port: int
    delayed_port: int
    unix_socket: Path
    pid: int

    def placed(self, placement: Placement) -> AbstractContextManager[None]:
        return placed(placement, [self.pid])


class Store:
    """One contestant's database; what is asked here is not timed."""

    def __init__(self, server: Server, database: int) -> None:
        self._client = redis.Redis(host=HOST, port=server.port, db=database)

    def full_key(self, key: str) -> str:
        return PREFIX + key

    def empty(self) -> None:
        self._client.flushdb()

    def put(self, key: str, value: bytes) -> None:
        self._client.set(self.full_key(key), value, ex=TIMEOUT)

    def forget(self, keys: Iterable[str]) -> None:
        self._client.delete(*map(self.full_key, keys))

    def stored(self, key: str) -> bytes | None:
        value: Any = self._client.get(self.full_key(key))
        return None if value is None else bytes(value)

    def seconds_left(self, key: str) -> int:
        return self._client.ttl(self.full_key(key))

    def hits(self) -> int:
        return self._stat("keyspace_hits")

    def misses(self) -> int:
        return self._stat("keyspace_misses")

    def _stat(self, name: str) -> int:
        return int(self._client.info("stats")[name])


@contextmanager
def started(delay_ms: float) -> Iterator[Server]:
    """The server and the proxy, ended by their process ids when the block ends."""
    allow_many_files()
    with tempfile.TemporaryDirectory(prefix="hotclub-bench-") as folder:
        unix_socket = Path(folder, "redis.sock")
        with _server(folder, unix_socket) as (port, pid), _proxy(port, delay_ms) as delayed_port:
            version = str(redis.Redis(host=HOST, port=port).info("server")["redis_version"])
            yield Server(version, port, delayed_port, unix_socket, pid)


@contextmanager
def _server(folder: str, unix_socket: Path) -> Iterator[tuple[int, int]]:
    """The server's port and process id."""
    port = free_port()
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
    log = Path(folder, "redis.log")
    with serving([PROGRAM, *options], log, partial(_answers, port)) as pid:
        yield port, pid


def _answers(port: int) -> bool:
    with redis.Redis(host=HOST, port=port) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            return False
    return True


@contextmanager
def _proxy(port: int, delay_ms: float) -> Iterator[int]:
    """In a process of its own, so that its work is not counted as the client's."""
    program = Path(__file__).with_name("delay.py")
    command = [sys.executable, str(program), str(port), str(delay_ms)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with ended_with_the_block(process):
        assert process.stdout is not None
        yield int(process.stdout.readline())
