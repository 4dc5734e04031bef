"""The servers that rooms need, started on a free port of loopback and stopped with the room."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
START_LIMIT, STOP_LIMIT = 10.0, 5.0  # seconds
TRIES = 3  # a port that was free may be taken by the time the server wants it


class RoomUnavailable(Exception):
    """This room cannot run here; the message says why and what to try."""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A redis-server that keeps nothing on disk; yields its URL, without a database."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        options = ["--bind", HOST, "--save", "", "--appendonly", "no", "--dir", work, "--port"]
        with _started("redis-server", options, Path(work)) as port:
            yield f"redis://{HOST}:{port}"


@contextmanager
def memcached_server(folder: Path) -> Iterator[str]:
    """A memcached; yields its address, as ``LOCATION`` has it."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        # Root has to name a user; for others it means nothing.
        options = ["-u", "root", "-l", HOST, "-U", "0", "-p"]
        with _started("memcached", options, Path(work)) as port:
            yield f"{HOST}:{port}"


@contextmanager
def _started(name: str, options: list[str], work: Path) -> Iterator[int]:
    """A program on a free port, which its last option takes; stopped at the end."""
    program = shutil.which(name)
    if program is None:
        raise RoomUnavailable(f"there is no {name} on PATH; try: apt install {name}")
    log = work / "log"
    for _ in range(TRIES):
        port = _free_port()
        with log.open("wb") as output:
            command = [program, *options, str(port)]
            server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            if _listens(server, port):
                yield port
                return
        finally:
            _stop(server)
    said = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise RoomUnavailable("\n  ".join([f"{name} did not start:", *said]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _listens(server: subprocess.Popen[bytes], port: int) -> bool:
    """Waits until the server takes connections; False if it ended or takes too long."""
    deadline = time.monotonic() + START_LIMIT
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return server.poll() is None
        time.sleep(0.02)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
