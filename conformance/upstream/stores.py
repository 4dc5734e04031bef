"""Somewhere to store things: folders, tables or servers, fresh for every group.

The first location is the store of the process-wide default cache; each further one stands for one of the
LOCATIONs that tests make up for LocMemCache, which must not see each other.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from upstream.errors import RunError, ServerMissingError

PLACES = 8
START_LIMIT = 10.0
PORT_TRIES = 10


@contextmanager
def open_store(store: str, scratch: Path) -> Iterator[list[str]]:
    """Yields the locations of a fresh store and takes it away again; an empty list for memory."""
    with ExitStack() as stack:
        if store == "folder":
            yield [str(scratch / f"store-{number}") for number in range(PLACES)]
        elif store == "database file":
            yield [str(scratch / f"store-{number}.db") for number in range(PLACES)]
        elif store == "table":
            yield [f"store {number}" for number in range(PLACES)]
        elif store == "redis":
            port = stack.enter_context(_redis(scratch))
            yield _databases(port)
        elif store == "redis and socket":
            # In the system's own folder: the path of a socket has room for some hundred bytes.
            socket_path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "redis.sock"
            port = stack.enter_context(_redis(scratch, "--unixsocket", str(socket_path)))
            yield [*_databases(port), f"unix://{socket_path}"]
        elif store == "memcached":
            # memcached has no databases: a server for each location.
            ports = [stack.enter_context(_memcached()) for _ in range(PLACES)]
            yield [f"127.0.0.1:{port}" for port in ports]
        else:
            yield []


def _databases(port: int) -> list[str]:
    return [f"redis://127.0.0.1:{port}/{number}" for number in range(PLACES)]


@contextmanager
def _redis(scratch: Path, *options: str) -> Iterator[int]:
    def command(port: int) -> list[str]:
        line = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(scratch)]
        return [*line, "--save", "", "--appendonly", "no", *options]

    with _server(command, b"INFO server\r\n", b"process_id:%d\r\n") as port:
        yield port


@contextmanager
def _memcached() -> Iterator[int]:
    def command(port: int) -> list[str]:
        line = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-m", "64", "-t", "1"]
        return [*line, "-u", "root"] if os.getuid() == 0 else line

    with _server(command, b"stats\r\n", b"STAT pid %d\r\n") as port:
        yield port


@contextmanager
def _server(command: Callable[[int], list[str]], ask: bytes, answer: bytes) -> Iterator[int]:
    """A server on a port that is its own: on one that somebody else took first, another would answer."""
    program = command(0)[0]
    if shutil.which(program) is None:
        raise ServerMissingError(f"no {program} on PATH; try: apt-get install {program}")
    for _ in range(PORT_TRIES):
        port = _free_port()
        server = subprocess.Popen(
            command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            if _answers(server, port, ask, answer % server.pid):
                yield port
                return
        finally:
            # Nothing in it is worth a tidy end, and memcached takes a second for one.
            server.kill()
            server.wait()
    raise RunError(f"{program} did not start on any of {PORT_TRIES} ports")


def _answers(server: subprocess.Popen[bytes], port: int, ask: bytes, answer: bytes) -> bool:
    """Waits until this very process answers; False if it ended, as where its port is taken."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            return False
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), START_LIMIT) as probe:
            probe.sendall(ask)
            if answer in probe.recv(65536):
                return True
        time.sleep(0.05)
    raise RunError(f"the server on port {port} did not answer within {START_LIMIT:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
