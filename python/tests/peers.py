"""Who is connected to a server, as it tells itself: for programs that know its LOCATION alone."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import memcached_servers
import servers

#: Who asked: the server may take a while to notice that they are gone.
_askers: set[bytes] = set()


def peers(location: str) -> set[str]:
    """The addresses of all that are connected over TCP, but for who asks."""
    is_redis = "://" in location
    node = urlsplit(location if is_redis else f"//{location}")
    with socket.create_connection((node.hostname, node.port), servers.REPLY_LIMIT) as asking:
        _askers.add(b"127.0.0.1:%d" % asking.getsockname()[1])
        with asking.makefile("rwb") as stream:
            if is_redis:
                found = re.findall(rb" addr=(\S+)", servers.talk(stream, ("CLIENT", "LIST")))
            else:
                told = memcached_servers.talk(stream, b"stats conns")
                # What it listens on has no listen_addr of its own.
                found = re.findall(rb":addr tcp:(\S+)\r\nSTAT \d+:listen_addr", told)
    return {address.decode() for address in set(found) - _askers}
