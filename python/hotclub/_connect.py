"""How an event loop connects to a server: once per connection, so in Python."""

from __future__ import annotations

import asyncio

# Resolving a name imports it at the first time, and a fork beside an import leaves the child waiting for it.
import encodings.idna  # noqa: F401
import os
import socket
from typing import Any

from hotclub import _hotclub

Link = _hotclub.Link | _hotclub.MemcachedLink

_tasks: set[asyncio.Task[None]] = set()


def start(loop: asyncio.AbstractEventLoop, link: Link) -> None:
    """Have a task of ``loop`` connect ``link``; it is told how that went."""
    task = loop.create_task(_connect(loop, link))
    # The loop itself refers to its tasks only weakly.
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _connect(loop: asyncio.AbstractEventLoop, link: Link) -> None:
    host, port = link._target()
    limit = link._connect_limit()
    try:
        if link._has_words_to_find() and not await _words(loop, link, limit):
            return
        async with asyncio.timeout(limit):
            connected = await _open(loop, host, port)
    except TimeoutError:
        link._failed(None)
    except OSError as error:
        link._failed(_reason(error))
    except BaseException as error:
        link._failed(f"connecting was given up: {type(error).__name__}", cancelled=True)
        raise
    else:
        link._adopt(connected.detach())


async def _words(loop: asyncio.AbstractEventLoop, link: Link, limit: float) -> bool:
    """Ask for the credentials, in a thread: only this connection waits for them."""
    try:
        await asyncio.wait_for(loop.run_in_executor(None, link._find_words), limit)
    except TimeoutError:
        link._failed(f"the credentials callable took longer than {limit:g} s")
        return False
    return True


def _reason(error: OSError) -> str:
    """The system's words; those of asyncio repeat the address."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


async def _open(loop: asyncio.AbstractEventLoop, host: str, port: int | None) -> socket.socket:
    if port is None:
        return await _reach(loop, socket.AF_UNIX, host)
    error: OSError | None = None
    for family, _, _, _, address in await _addresses(loop, host, port):
        try:
            return await _reach(loop, family, address)
        except OSError as problem:
            error = problem
    raise error or OSError(f"the name {host!r} has no address")


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Any]:
    kind = socket.SOCK_STREAM
    try:
        # A number needs no resolver, and so no thread.
        return socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    try:
        return await loop.getaddrinfo(host, port, type=kind)
    except socket.gaierror as error:
        raise OSError(f"the name {host!r} is not known here: {error.strerror}") from error


async def _reach(loop: asyncio.AbstractEventLoop, family: int, address: Any) -> socket.socket:
    reached = socket.socket(family, socket.SOCK_STREAM)
    try:
        reached.setblocking(False)
        await loop.sock_connect(reached, address)
    except BaseException:
        reached.close()
        raise
    if family != socket.AF_UNIX:
        reached.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return reached
