"""Two memcached servers, on a free port of loopback and on a unix socket, and what they saw."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kit.contestants import PREFIX, TIMEOUT, connected
from kit.programs import HOST, PATIENCE, Placement, allow_many_files, free_port, placed, serving

PROGRAM = "memcached"


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


class Server:
    """One that runs, asked in the text protocol; nothing that this does is timed."""

    def __init__(self, where: int | Path, pid: int) -> None:
        self.where = where
        self.pid = pid
        connection = connected(where)
        connection.settimeout(PATIENCE)
        self._stream = connection.makefile("rwb")
        connection.close()  # The stream keeps it.

    @property
    def location(self) -> str:
        """As Django's ``LOCATION`` has it."""
        return f"unix:{self.where}" if isinstance(self.where, Path) else f"{HOST}:{self.where}"

    def entry(self, key: str) -> tuple[bytes, int] | None:
        """The value, and how many seconds are left of it."""
        head = self._ask(b"mg %b v t" % key.encode()).split()
        if head[0] != b"VA":
            return None
        value = self._stream.read(int(head[1]))
        self._stream.readline()
        return value, int(head[2].removeprefix(b"t"))

    def put(self, key: str, value: bytes) -> None:
        said = self._ask(b"ms %b %d T%d\r\n%b" % (key.encode(), len(value), TIMEOUT, value))
        assert said == b"HD\r\n", f"memcached said {said!r}"

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._ask(b"md %b" % key.encode())

    def stat(self, name: str) -> str:
        """One line of its statistics."""
        lines = [self._ask(b"stats")]
        while lines[-1] != b"END\r\n":
            lines.append(self._stream.readline())
        words = [line.decode().split(maxsplit=2) for line in lines[:-1]]
        return {name: value.strip() for _, name, value in words}[name]

    def _ask(self, line: bytes) -> bytes:
        """The first line of the reply."""
        self._stream.write(line + b"\r\n")
        self._stream.flush()
        return self._stream.readline()


@dataclass(frozen=True, slots=True)
class Store:
    """One contestant's keys in a server: those with its own prefix."""

    server: Server
    prefix: str

    def full_key(self, key: str) -> str:
        return self.prefix + PREFIX + key

    def put(self, key: str, value: bytes) -> None:
        self.server.put(self.full_key(key), value)

    def forget(self, keys: Iterable[str]) -> None:
        self.server.forget(map(self.full_key, keys))

    def stored(self, key: str) -> bytes | None:
        entry = self.server.entry(self.full_key(key))
        return None if entry is None else entry[0]

    def seconds_left(self, key: str) -> int:
        entry = self.server.entry(self.full_key(key))
        return 0 if entry is None else entry[1]

    def hits(self) -> int:
        return int(self.server.stat("get_hits"))

    def misses(self) -> int:
        return int(self.server.stat("get_misses"))


@dataclass(frozen=True, slots=True)
class Servers:
    """A memcached with a socket of its own has no port, so there are two."""

    tcp: Server
    unix: Server

    @property
    def version(self) -> str:
        return self.tcp.stat("version")

    def placed(self, placement: Placement) -> AbstractContextManager[None]:
        return placed(placement, (self.tcp.pid, self.unix.pid))


@contextmanager
def started() -> Iterator[Servers]:
    """Both, ended by their process ids when the block ends."""
    allow_many_files()
    with tempfile.TemporaryDirectory(prefix="hotclub-bench-") as folder:
        port, path = free_port(), Path(folder, "memcached.sock")
        on_port = ["-l", HOST, "-p", str(port), "-U", "0"]
        with (
            _server(on_port, port, Path(folder, "tcp.log")) as tcp,
            _server(["-s", str(path)], path, Path(folder, "unix.log")) as unix,
        ):
            yield Servers(Server(port, tcp), Server(path, unix))


def _server(options: list[str], where: int | Path, log: Path) -> AbstractContextManager[int]:
    # Root has to name a user.
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return serving([PROGRAM, *user, *options], log, partial(_answers, where))


def _answers(where: int | Path) -> bool:
    try:
        connected(where).close()
    except OSError:
        return False
    return True
