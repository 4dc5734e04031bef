"""Aliases whose connections can be told from those of other tests, by their name on the server."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from clocks import until
from servers import RedisServer

REDIS = "hotclub.django.RedisCache"
_numbers = itertools.count(1)


@dataclass
class Clients:
    """Settings with a client name of their own, and who has connected under it."""

    server: RedisServer
    name: str = field(default_factory=lambda: f"client-{next(_numbers)}")

    def settings(self, database: int = 1, **options: Any) -> dict[str, Any]:
        """An alias on the server."""
        options = {"client_name": self.name, **options}
        location = self.server.url_db(database)
        return {"BACKEND": REDIS, "LOCATION": location, "TIMEOUT": None, "OPTIONS": options}

    @property
    def connected(self) -> int:
        """How many connections there are under this name."""
        lines = self.server.command("CLIENT", "LIST").splitlines()
        return sum(f" name={self.name} " in line for line in lines)

    def all_gone(self) -> None:
        """Waits until there is none."""
        until(lambda: self.connected == 0)
