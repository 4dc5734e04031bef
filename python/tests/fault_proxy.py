"""What stands between a client and a server, and spoils replies when told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")

#: How long a connection to the server, or a change of the fault, may take.
LIMIT = 10.0


@dataclass(frozen=True)
class Passing:
    """Replies pass."""


@dataclass(frozen=True)
class Delay:
    """Replies come later by these seconds: latency, not a slower line."""

    seconds: float


@dataclass(frozen=True)
class CutAfter:
    """This many more bytes of replies pass on each connection, then it is closed."""

    count: int


@dataclass(frozen=True)
class Garbage:
    """Whatever the server says, these bytes come instead."""

    content: bytes


@dataclass(frozen=True)
class Swallow:
    """Nothing comes, and connections stay open."""


@dataclass(frozen=True)
class Refuse:
    """Open connections are closed and new ones refused, as if no server were there."""


Fault = Passing | Delay | CutAfter | Garbage | Swallow | Refuse


class FaultProxy:
    """A TCP proxy on a free loopback port whose fault is switched while it runs.

    It is a thread with an event loop, so a test that forks should not have one. Requests always
    reach the server.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.fault: Fault = Passing()
        self.accepted = 0
        self.links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listening: asyncio.Server | None = None
        self.port = 0
        self._run(self._listen())

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """As ``127.0.0.1:6379``."""
        return f"127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self.links)

    def set(self, fault: Fault) -> None:
        """From now on, on open connections too, this happens."""
        self._run(self._set(fault))

    def cut(self) -> None:
        """Closes every open connection, once."""
        self._run(self._cut())

    def close(self) -> None:
        """Ends the proxy and its connections."""
        if not self._loop.is_closed():
            self._run(self._set(Refuse()))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(LIMIT)
            self._loop.close()

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(what, self._loop)
        return future.result(LIMIT)

    async def _listen(self) -> None:
        deadline = self._loop.time() + LIMIT
        while True:
            try:
                self._listening = await self._loop.create_server(
                    lambda: Link(self, self._loop, self._server_port), "127.0.0.1", self.port
                )
            except OSError:
                # An outgoing connection of anybody may have got the number for a while.
                if self._loop.time() > deadline:
                    raise
                await asyncio.sleep(0.005)
            else:
                self.port = self._listening.sockets[0].getsockname()[1]
                return

    async def _set(self, fault: Fault) -> None:
        self.fault = fault
        for link in self.links:
            link.passed = 0
        if isinstance(fault, Refuse):
            await self._close_port()
        elif self._listening is None:
            await self._listen()

    async def _close_port(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            # Nobody is accepted any more, and whoever just was is seen to: asyncio forgets to close
            # a connection whose server was closed between the two.
            for accepting in listening.sockets:
                self._loop.remove_reader(accepting.fileno())
            await self._cut()
            listening.close()

    async def _cut(self) -> None:
        # One that was accepted a moment ago is a task, and becomes a link when we look away.
        while self.links or len(asyncio.all_tasks()) > 1:
            for link in list(self.links):
                link.end()
            await asyncio.sleep(0.001)


class Link(asyncio.Protocol):
    """One connection: this is the client's end; what the server's end hears comes to ``reply``."""

    def __init__(self, proxy: FaultProxy, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._proxy, self._loop, self._port = proxy, loop, port
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._due = 0.0
        #: Bytes of replies since the fault was set.
        self.passed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast(asyncio.Transport, transport)
        # Until there is somebody to pass requests to.
        self._client.pause_reading()
        self._proxy.accepted += 1
        self._proxy.links.add(self)
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                await self._loop.create_connection(
                    lambda: ServersEnd(self), "127.0.0.1", self._port
                )
        except OSError:
            self.end()
        else:
            if self._client is not None:
                self._client.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._server is not None:
            self._server.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client = None
        self.end()
        self._forget()

    def server_made(self, transport: asyncio.Transport) -> None:
        """The server's end is there; perhaps the client is gone already."""
        self._server = transport
        if self._client is None:
            transport.abort()

    def server_lost(self) -> None:
        """The server closed, or broke off; what is on its way to the client still comes."""
        self._server = None
        self._later(self.finish)
        self._forget()

    def reply(self, data: bytes) -> None:
        """Passes on what the fault leaves of it."""
        match self._proxy.fault:
            case Passing() | Delay():
                self._later(self._write, data)
            case CutAfter(count):
                self._later(self._write, data[: max(0, count - self.passed)])
                if self.passed + len(data) >= count:
                    self._later(self.finish)
            case Garbage(content):
                self._later(self._write, content)
            case _:
                return
        self.passed += len(data)

    def _later(self, do: Any, *arguments: Any) -> None:
        """Now or after the delay, but never before what came earlier."""
        fault, now = self._proxy.fault, self._loop.time()
        seconds = fault.seconds if isinstance(fault, Delay) else 0.0
        self._due = max(self._due, now + seconds)
        if self._due > now:
            self._loop.call_at(self._due, do, *arguments)
        else:
            do(*arguments)

    def _write(self, data: bytes) -> None:
        if self._client is not None:
            self._client.write(data)

    def finish(self) -> None:
        """Closes the client's end when it has got what was written; the server's end follows."""
        if self._client is not None:
            self._client.close()

    def end(self) -> None:
        """Closes both ends at once."""
        for transport in (self._client, self._server):
            if transport is not None:
                transport.abort()
        if self._connecting is not None:
            self._connecting.cancel()

    def _forget(self) -> None:
        if self._client is None and self._server is None:
            self._proxy.links.discard(self)


class ServersEnd(asyncio.Protocol):
    """The other end of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link.server_made(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._link.reply(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.server_lost()
