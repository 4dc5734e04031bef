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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from upstream.errors import RunError, ServerMissingError

PLACES = 8
START_LIMIT = 10.0


@contextmanager
def open_store(store: str, scratch: Path) -> Iterator[list[str]]:
    """Yields the locations of a fresh store and takes it away again; an empty list for memory."""
    with ExitStack() as stack:
        if store == "folder":
            yield [str(scratch / f"store-{number}") for number in range(PLACES)]
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
    port = _free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(scratch)]
    with _server([*command, "--save", "", "--appendonly", "no", *options], port):
        yield port


@contextmanager
def _memcached() -> Iterator[int]:
    port = _free_port()
    command = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-m", "64", "-t", "1"]
    if os.getuid() == 0:
        command += ["-u", "root"]
    with _server(command, port):
        yield port


@contextmanager
def _server(command: list[str], port: int) -> Iterator[None]:
    program = command[0]
    if shutil.which(program) is None:
        package = {"redis-server": "redis-server", "memcached": "memcached"}[program]
        raise ServerMissingError(f"no {program} on PATH; try: apt-get install {package}")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(server, port, program)
        yield
    finally:
        # Nothing in it is worth a tidy end, and memcached takes a second for one.
        server.kill()
        server.wait()


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int, program: str) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RunError(f"{program} ended at once with status {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RunError(f"{program} did not listen on port {port} within {START_LIMIT:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
