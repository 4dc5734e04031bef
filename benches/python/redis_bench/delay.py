"""A proxy that passes questions on at once and replies a little later: ``delay.py PORT MILLISECONDS``.

It prints the port it listens on and ends when its standard input does, so it does not outlive its parent.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque

HOST = "127.0.0.1"


class Door(asyncio.Protocol):
    """One side of a connection: what comes in here goes out at the other side."""

    transport: asyncio.Transport
    other: Door

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.waiting: deque[bytes] = deque()
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.delay:
            # Each timer lets the oldest piece out, so pieces cannot overtake each other.
            self.waiting.append(data)
            self.loop.call_later(self.delay, self.let_out)
        else:
            self.other.transport.write(data)

    def let_out(self) -> None:
        data = self.waiting.popleft()
        if not self.other.transport.is_closing():
            self.other.transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.other.transport.close()


class Entrance(Door):
    """The client's side, which opens the server's."""

    def __init__(self, port: int, delay: float) -> None:
        super().__init__(0.0)
        self.port = port
        self.exit = Door(delay)
        self.exit.other = self
        self.early: list[bytes] = []
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.opening = self.loop.create_task(self.open())

    async def open(self) -> None:
        try:
            await self.loop.create_connection(lambda: self.exit, HOST, self.port)
        except OSError:
            self.transport.close()
            return
        self.other = self.exit
        self.is_open = True
        self.other.transport.writelines(self.early)

    def data_received(self, data: bytes) -> None:
        if self.is_open:
            super().data_received(data)
        else:
            self.early.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_open:
            super().connection_lost(error)
        else:
            self.opening.cancel()


async def serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    # 300 connections at once: the default backlog of 100 would cost them a second of waiting.
    server = await loop.create_server(lambda: Entrance(port, delay), HOST, 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
