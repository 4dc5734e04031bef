"""Real servers on loopback: started on free ports, killed and forgotten when closed.

``with RedisServer(RedisOptions(password="secret")) as server: server.command("GET", "key")``.
Clusters and sentinels are in ``topologies``, memcached in ``memcached_servers``, what spoils replies
in ``fault_proxy``, and the servers that tests share in ``redis_fixtures`` and ``memcached_fixtures``.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import pytest

from certificates import certificates

T = TypeVar("T")

#: A server that does not answer within this will not.
START_LIMIT = 30.0
#: No reply takes longer, unless the server is paused.
REPLY_LIMIT = 10.0
#: How often another port is tried when somebody else was faster, and what the server says then.
PORT_TRIES = 10
IN_USE = "Address already in use"


def program() -> str:
    """What is started: HOTCLUB_REDIS_SERVER may name another, such as valkey-server."""
    return os.environ.get("HOTCLUB_REDIS_SERVER") or "redis-server"


def need(*programs: str) -> None:
    """Skips the test on a machine without these programs; where CI is set it fails."""
    for name in programs:
        if shutil.which(name) is None:
            reason = f"no {name}, try: apt install {name}"
            if os.environ.get("CI", "") not in ("", "0", "false"):
                pytest.fail(f"{reason}; with CI set nothing is skipped")
            pytest.skip(reason)


def need_redis() -> None:
    """Skips the test on a machine without redis-server."""
    need(program())


def wait_until(what: str, ask: Callable[[], T | None], limit: float = START_LIMIT) -> T:
    """Asks until there is an answer that is true, with a limit."""
    deadline = time.monotonic() + limit
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}"
        time.sleep(0.005)


def renew_used(request: pytest.FixtureRequest, shared: tuple[str, ...]) -> None:
    """Undoes what earlier tests did to those of the shared servers that this test uses."""
    for name in shared:
        if name in request.fixturenames:
            request.getfixturevalue(name).renew()


class Server:
    """A running server on 127.0.0.1, killed with all it held by ``close()`` or ``with``."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="hotclub-"))
        # For a run that ends without closing its fixtures.
        atexit.register(self.close)
        self._prepare()
        self._start_somewhere()

    def _prepare(self) -> None:
        """Writes what it reads at its start into its folder."""

    def _command_line(self) -> list[str]:
        """What starts it, its program first."""
        raise NotImplementedError

    def _answers(self) -> bool:
        """Whether it answers: this process, and not somebody else who has its port."""
        raise NotImplementedError

    def flush(self) -> None:
        """Empties it."""
        raise NotImplementedError

    def _start_somewhere(self) -> None:
        for _ in range(PORT_TRIES):
            self.port, self.bus_port = two_free_ports()
            if self._launch():
                return
        self.close()
        raise AssertionError(f"{PORT_TRIES} free ports were all taken by somebody else")

    def _launch(self) -> bool:
        """Starts it and waits until it answers; False if somebody else has the port."""
        command = self._command_line()
        with open(self._folder / "log", "wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )
        self._process = process
        try:
            wait_until(
                f"{command[0]} answers", lambda: process.poll() is not None or self._answers()
            )
            assert process.returncode is None, f"{command[0]} ended"
        except BaseException as error:
            log_end = self.log()
            self.kill()
            if IN_USE in log_end:
                return False
            self.close()
            raise AssertionError(f"{error}\n{log_end}") from None
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kills it, stopped or not, and removes its folder."""
        if os.getpid() == self._owner:
            atexit.unregister(self.close)
            self.kill()
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def address(self) -> str:
        """As ``127.0.0.1:6379``."""
        return f"127.0.0.1:{self.port}"

    @property
    def unix_path(self) -> Path:
        """The unix socket, if it listens on one: Redis always does."""
        return self._folder / "socket"

    @property
    def pid(self) -> int | None:
        """The process, unless it was killed. It changes with a restart."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Kills it at once, as a crash does; nothing happens if it is dead already."""
        process, self._process = self._process, None
        if process is not None and os.getpid() == self._owner:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Starts it on the same port with the same options: empty, but it knows its cluster."""
        self.kill()
        # An outgoing connection of anybody may have got the number of the port for a while.
        wait_until(f"port {self.port} is free", self._launch)

    def pause(self) -> None:
        """Stops it (SIGSTOP): connections stay open, nothing is answered."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        # Until it stands still; an end counts too, else this would wait for ever.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Lets a paused server go on; it answers what came in meanwhile."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was killed"
        return self._process

    def renew(self) -> None:
        """As it was started: running, and empty."""
        if self._process is None or self._process.poll() is not None:
            self.restart()
        self.resume()
        self.flush()

    def log(self) -> str:
        """The end of what it said, for messages."""
        path = self._folder / "log"
        return (
            "\n".join(path.read_text(errors="replace").splitlines()[-20:]) if path.exists() else ""
        )


class ReplyError(Exception):
    """An error that a server answered, its code in front: ``ERR no such key``."""


@dataclass(frozen=True, kw_only=True)
class RedisOptions:
    """How a server is to be started; a unix socket is always there."""

    #: ``requirepass``: what the default user must say.
    password: str | None = None
    #: More users, who may do everything, and their passwords.
    users: dict[str, str] = field(default_factory=dict)
    #: ``maxmemory``, as ``2mb``; what does not fit is refused, nothing is evicted.
    max_memory: str | None = None
    databases: int = 16
    #: TLS on the one port there is; a client needs a certificate, or is not asked for one.
    tls: Literal["client certificate", "no client certificate"] | None = None
    #: A replica of this server, with the same password.
    replica_of: RedisServer | None = None
    #: A node of a cluster that knows nobody yet.
    cluster: bool = False
    #: The configuration file of a sentinel: then most of the rest is of no meaning.
    sentinel: str | None = None
    #: Any other words of the command line: ``("--timeout", "1")``.
    arguments: tuple[str, ...] = ()

    def command_line(self, folder: Path, port: int, bus: int) -> list[str]:
        """The command that starts it in this folder."""
        line = [program()]
        if self.sentinel is not None:
            line += [str(folder / "sentinel.conf"), "--sentinel"]
        line += ["--bind", "127.0.0.1", "--dir", str(folder)]
        line += ["--unixsocket", str(folder / "socket")]
        line += self._ports(port, bus) if self.tls is None else self._ports(0, bus, port)
        if self.sentinel is None:
            line += [*self._storage(), *self._access()]
        return [*line, *self.arguments]

    def _ports(self, port: int, bus: int, tls_port: int | None = None) -> list[str]:
        line = ["--port", str(port)]
        if tls_port is not None:
            line += ["--tls-port", str(tls_port), *self._certificates()]
        if self.cluster:
            line += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            line += ["--cluster-node-timeout", "2000"]
        return line

    def _certificates(self) -> list[str]:
        files = certificates()
        asked = "yes" if self.tls == "client certificate" else "no"
        line = ["--tls-cert-file", files.server_certificate, "--tls-key-file", files.server_key]
        line += ["--tls-ca-cert-file", files.authority, "--tls-auth-clients", asked]
        line += ["--tls-replication", "yes", "--tls-cluster", "yes" if self.cluster else "no"]
        return [str(word) for word in line]

    def _storage(self) -> list[str]:
        # A replica gets its copy at once and not after five seconds.
        line = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
        line += ["--databases", str(self.databases)]
        if self.max_memory is not None:
            line += ["--maxmemory", self.max_memory, "--maxmemory-policy", "noeviction"]
        return line

    def _access(self) -> list[str]:
        line = []
        if self.password is not None:
            line += ["--requirepass", self.password]
        for name, password in self.users.items():
            line += ["--user", name, "on", f">{password}", "~*", "&*", "+@all"]
        if self.replica_of is not None:
            line += ["--replicaof", "127.0.0.1", str(self.replica_of.port)]
            if self.replica_of.options.password is not None:
                line += ["--masterauth", self.replica_of.options.password]
        elif self.password is not None:
            # A node of a cluster, or a primary that may become a replica.
            line += ["--masterauth", self.password]
        return line


class RedisServer(Server):
    """A running redis-server on 127.0.0.1, killed with all it held by ``close()`` or ``with``."""

    def __init__(self, options: RedisOptions | None = None) -> None:
        need_redis()
        self.options = options or RedisOptions()
        super().__init__()

    def _prepare(self) -> None:
        if self.options.sentinel is not None:
            (self._folder / "sentinel.conf").write_text(self.options.sentinel)

    def _command_line(self) -> list[str]:
        return self.options.command_line(self._folder, self.port, self.bus_port)

    def _answers(self) -> bool:
        """Asked over the unix socket, which nobody else can have, as somebody could the port."""
        try:
            return bool(self.ask("PING") == "PONG")
        except (OSError, ReplyError):
            return False

    @property
    def url(self) -> str:
        """As ``redis://:password@127.0.0.1:6379``, or ``rediss://…`` with TLS."""
        scheme = "redis" if self.options.tls is None else "rediss"
        login = "" if self.options.password is None else f":{self.options.password}@"
        return f"{scheme}://{login}{self.address}"

    def url_db(self, number: int) -> str:
        """The same with a database: ``redis://127.0.0.1:6379/1``."""
        return f"{self.url}/{number}"

    def ask(self, *words: str | bytes | int) -> Any:
        """One command over the unix socket, in database 0: None, int, str, bytes or a list of them.

        A status is a str, a value is bytes, an error raises ``ReplyError``.
        """
        return self.ask_all(words)[0]

    def ask_all(self, *commands: tuple[str | bytes | int, ...]) -> list[Any]:
        """Several commands over one connection: ``("SELECT", 1), ("GET", "key")``."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(REPLY_LIMIT)
            connection.connect(str(self.unix_path))
            with connection.makefile("rwb") as stream:
                if self.options.password is not None:
                    talk(stream, ("AUTH", self.options.password))
                return [talk(stream, words) for words in commands]

    def command(self, *words: str | bytes | int) -> str:
        """The same as text, as redis-cli has it: a list one item a line, ``(nil)`` for nothing."""
        return as_text(self.ask(*words))

    def info(self, name: str) -> str | None:
        """One field of ``INFO``, as ``connected_clients``, this question included."""
        return field_of(self.command("INFO", "everything"), name)

    def flush(self) -> None:
        """Empties every database."""
        self.command("FLUSHALL")


def two_free_ports() -> tuple[int, int]:
    """Two ports that were free a moment ago."""
    # Both are held until both are known, else the second could be the first again.
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def talk(stream: Any, words: tuple[str | bytes | int, ...]) -> Any:
    """A few lines of the Redis protocol, so that the kit needs no client."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    stream.write(b"*%d\r\n" % len(parts))
    stream.write(b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
    stream.flush()
    return _reply(stream)


def _reply(stream: Any) -> Any:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise ReplyError(rest.decode())
    number = int(rest)
    if kind == b":":
        return number
    if number < 0:
        return None
    if kind == b"$":
        return stream.read(number + 2)[:-2]
    assert kind == b"*", f"not a reply: {line!r}"
    return [_reply(stream) for _ in range(number)]


def as_text(reply: Any) -> str:
    """A reply as redis-cli shows it."""
    if isinstance(reply, list):
        return "\n".join(as_text(item) for item in reply)
    if isinstance(reply, bytes):
        return reply.decode(errors="replace")
    return "(nil)" if reply is None else str(reply)


def field_of(text: str, name: str) -> str | None:
    """The value in a line ``name:value``."""
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2]
    return None
