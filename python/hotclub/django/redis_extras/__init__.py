"""The verbs that django-redis has beside Django's, each with an async twin, and raw access to the server."""

from __future__ import annotations

from typing import Any

from hotclub.django.redis_extras.client import Client, get_redis_connection
from hotclub.django.redis_extras.counting import Counting
from hotclub.django.redis_extras.expiry import Expiry
from hotclub.django.redis_extras.hashes import Hashes
from hotclub.django.redis_extras.keys import Keys
from hotclub.django.redis_extras.lock import Lock, Locks
from hotclub.django.redis_extras.sets import Sets
from hotclub.django.redis_extras.sorted_sets import SortedSets
from hotclub.django.redis_extras.steps import Argument

__all__ = ["Client", "Lock", "RedisExtras", "get_redis_connection"]


class RedisExtras(Counting, Expiry, Keys, Locks, Hashes, Sets, SortedSets):
    """All of them. A class that has ``_execute`` and the rest of ``Extra`` gets them by deriving from it."""

    def execute(
        self, *command: Argument, write: bool = True, key_at: int = 1, node: int | None = None
    ) -> Any:
        """Send one command as it is; the reply as it comes: bytes, int, str, None, float, list or dict.

        Keys are full keys (``make_key``). ``write=False``: a replica may answer. In a cluster ``key_at`` says
        which argument is the key (-1: none) and ``node`` names a primary by number. ``ResponseError`` if the
        server refuses.
        """
        return self._execute(command, write=write, key_at=key_at, node=node)

    async def aexecute(
        self, *command: Argument, write: bool = True, key_at: int = 1, node: int | None = None
    ) -> Any:
        """See ``execute``."""
        return await self._aexecute(command, write=write, key_at=key_at, node=node)

    @property
    def client(self) -> Client:
        """What code written for django-redis asks of ``cache.client``."""
        return Client(self)
