"""Who is connected to a server, as it tells itself: for programs that know its LOCATION alone."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import memcached_servers
import servers

#: Who asked the server at a port. It may take a while to notice that they are gone; once it did, others may
#: have their numbers.
_askers: dict[int, set[bytes]] = {}


def peers(location: str) -> set[str]:
    """The addresses of all that are connected over TCP, but for who asks."""
    is_redis = "://" in location
    node = urlsplit(location if is_redis else f"//{location}")
    with socket.create_connection((node.hostname, node.port), servers.REPLY_LIMIT) as asking:
        own = b"127.0.0.1:%d" % asking.getsockname()[1]
        with asking.makefile("rwb") as stream:
            if is_redis:
                found = re.findall(rb" addr=(\S+)", servers.talk(stream, ("CLIENT", "LIST")))
            else:
                told = memcached_servers.talk(stream, b"stats conns")
                # What it listens on has no listen_addr of its own.
                found = re.findall(rb":addr tcp:(\S+)\r\nSTAT \d+:listen_addr", told)
    there = set(found)
    askers = _askers[node.port] = there & _askers.get(node.port, set()) | {own}
    return {address.decode() for address in there - askers}
