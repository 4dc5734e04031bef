"""Aliases on a memcached of the test's own, and who is connected to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clocks import until
from memcached_servers import MemcachedServer
from peers import peers

MEMCACHED = "hotclub.django.PyMemcacheCache"


@dataclass
class MemcachedClients:
    """Settings for a server that nobody else uses, so that all who are connected are theirs."""

    server: MemcachedServer

    def settings(self, **options: Any) -> dict[str, Any]:
        """An alias on the server."""
        location = self.server.address
        return {"BACKEND": MEMCACHED, "LOCATION": location, "TIMEOUT": None, "OPTIONS": options}

    @property
    def connected(self) -> int:
        """How many connections there are."""
        return len(peers(self.server.address))

    def all_gone(self) -> None:
        """Waits until there is none."""
        until(lambda: self.connected == 0)
