"""Real memcached servers on loopback, as ``servers`` has them for Redis.

``with MemcachedServer(MemcachedOptions(memory=8)) as server: server.command("get key")``.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from certificates import certificates
from servers import REPLY_LIMIT, Server, need

#: A request that does nothing, and the reply that nothing else gives.
NOTHING, NOTHING_DONE = b"\r\nmn\r\n", b"MN\r\n"


@dataclass(frozen=True, kw_only=True)
class MemcachedOptions:
    """How a server is to be started; what is not said is memcached's own default."""

    #: ``-m``: megabytes for items; when they are full, old items go.
    memory: int = 64
    #: ``-I``: how large an item may be, from ``512k`` to half the memory.
    max_item_size: str = "1m"
    #: ``-t``
    threads: int = 2
    #: ``-s``: listens on ``unix_path``, and on no port.
    unix_socket: bool = False
    #: ``-Y``: user and password that a client must say first, in the text protocol.
    login: tuple[str, str] | None = None
    #: ``-Z``: TLS on its port, with the kit's certificate.
    tls: bool = False
    #: Any other words of the command line: ``("-o", "no_modern")``.
    arguments: tuple[str, ...] = ()


class MemcachedServer(Server):
    """A running memcached on 127.0.0.1, killed with all it held by ``close()`` or ``with``."""

    def __init__(self, options: MemcachedOptions | None = None) -> None:
        need("memcached")
        self.options = options or MemcachedOptions()
        super().__init__()

    def _prepare(self) -> None:
        if self.options.login is not None:
            (self._folder / "logins").write_text(":".join(self.options.login) + "\n")

    def _command_line(self) -> list[str]:
        options = self.options
        # Root has to name a user; for others it means nothing.
        line = ["memcached", "-u", "root", "-m", str(options.memory), "-I", options.max_item_size]
        line += ["-t", str(options.threads)]
        if options.unix_socket:
            line += ["-s", str(self.unix_path)]
        else:
            line += ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        if options.login is not None:
            line += ["-Y", str(self._folder / "logins")]
        if options.tls:
            files = certificates()
            line += ["-Z", "-o", f"ssl_chain_cert={files.server_certificate}"]
            line += ["-o", f"ssl_key={files.server_key}"]
        return [*line, *options.arguments]

    def _answers(self) -> bool:
        try:
            return self.stat("pid") == str(self.pid)
        except OSError:
            return False

    @property
    def url(self) -> str:
        """As ``memcached://127.0.0.1:11211``, or ``memcached://user:password@…`` with a login."""
        login = "" if self.options.login is None else ":".join(self.options.login) + "@"
        return f"memcached://{login}{self.address}"

    def ask(self, request: bytes) -> bytes:
        """What it replies to a line, or to one and its data, on a connection of its own."""
        with self._connected() as stream:
            if self.options.login is not None:
                words = " ".join(self.options.login).encode()
                talk(stream, b"set login 0 0 %d\r\n%b" % (len(words), words))
            return talk(stream, request)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        unix = self.options.unix_socket
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
            connection.settimeout(REPLY_LIMIT)
            connection.connect(str(self.unix_path) if unix else ("127.0.0.1", self.port))
            if not self.options.tls:
                with connection.makefile("rwb") as stream:
                    yield stream
                return
            context = ssl.create_default_context(cafile=certificates().authority)
            with (
                context.wrap_socket(connection, server_hostname="127.0.0.1") as session,
                session.makefile("rwb") as stream,
            ):
                yield stream

    def command(self, line: str) -> str:
        """The same as text: ``set key 0 0 5\\r\\nvalue`` gives ``STORED``. An error is a reply."""
        return self.ask(line.encode()).decode(errors="replace").replace("\r\n", "\n").rstrip("\n")

    def stat(self, name: str) -> str | None:
        """One line of ``stats``, as ``curr_items``."""
        lines = (line.split(" ", 2) for line in self.command("stats").splitlines())
        return next((words[2] for words in lines if words[:2] == ["STAT", name]), None)

    def flush(self) -> None:
        """Empties it."""
        assert self.command("flush_all") == "OK"


class MemcachedFleet:
    """Three servers that know nothing of each other, closed together."""

    def __init__(self, options: MemcachedOptions | None = None) -> None:
        with ExitStack() as stack:
            self.servers = [stack.enter_context(MemcachedServer(options)) for _ in range(3)]
            self.close = stack.pop_all().close

    def __enter__(self) -> MemcachedFleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def addresses(self) -> list[str]:
        """As ``LOCATION`` has them."""
        return [server.address for server in self.servers]

    def renew(self) -> None:
        """As they were started: running, and empty."""
        for server in self.servers:
            server.renew()


def talk(stream: Any, request: bytes) -> bytes:
    """Sends one request and reads its reply, which is whole when the next request is answered."""
    stream.write(request + NOTHING)
    stream.flush()
    reply = b""
    while (line := stream.readline()) != NOTHING_DONE:
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection")
        reply += line + stream.read(_data_behind(line))
    return reply


def _data_behind(line: bytes) -> int:
    """How many bytes follow what announces a value, ``VALUE key flags 5`` or ``VA 5 flags``."""
    match line.split():
        case [b"VALUE", _, _, length, *_] | [b"VA", length, *_]:
            return int(length) + 2
    return 0
