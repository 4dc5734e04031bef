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
    program = shutil.which("redis-server")
    if program is None:
        raise RoomUnavailable("there is no redis-server on PATH; try: apt install redis-server")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        log = Path(work) / "redis.log"
        command = [program, "--bind", HOST, "--save", "", "--appendonly", "no"]
        command += ["--dir", work, "--logfile", str(log)]
        for _ in range(TRIES):
            port = _free_port()
            server = subprocess.Popen([*command, "--port", str(port)])
            try:
                if _listens(server, port):
                    yield f"redis://{HOST}:{port}"
                    return
            finally:
                _stop(server)
        said = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else []
        raise RoomUnavailable("\n  ".join(["redis-server did not start:", *said]))


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
