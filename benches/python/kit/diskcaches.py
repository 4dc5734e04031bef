"""diskcache's caches, a peer of every room that keeps files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kit.contestants import PREFIX


class Entries:
    """What a ``Cache`` or a ``FanoutCache`` of diskcache has, by its own words."""

    def __init__(self, cache: Any, prefix: str = PREFIX) -> None:
        self._cache = cache
        self._prefix = prefix

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._cache.delete(self._prefix + key)

    def stored(self, key: str) -> bytes | None:
        value = self._cache.get(self._prefix + key)
        return None if value is None else str(value).encode()

    def seconds_left(self, key: str) -> float:
        _, end = self._cache.get(self._prefix + key, expire_time=True)
        return 0.0 if end is None else end - time.time()

    @contextmanager
    def hidden(self, key: str) -> Iterator[None]:
        value, end = self._cache.pop(self._prefix + key, expire_time=True)
        yield
        self._cache.set(self._prefix + key, value, expire=end - time.time())
