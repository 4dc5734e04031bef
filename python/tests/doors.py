"""The two doors of a cache: the sync verbs, and the same names answered by the async ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

VERBS = ["get", "set", "add", "touch", "delete", "get_many", "set_many", "delete_many", "get_or_set",
         "has_key", "incr", "decr", "incr_version", "decr_version", "clear", "close"]  # fmt: skip


class AsyncDoor:
    """A cache whose verbs go through their async twins, on one event loop."""

    def __init__(self, cache: Any, runner: asyncio.Runner) -> None:
        self.__dict__["behind"] = cache
        self.__dict__["runner"] = runner

    def __getattr__(self, name: str) -> Any:
        if name not in VERBS:
            return getattr(self.behind, name)
        twin = getattr(self.behind, f"a{name}")

        def call(*arguments: Any, **keywords: Any) -> Any:
            return self.runner.run(twin(*arguments, **keywords))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.behind, name, value)

    def __contains__(self, key: Any) -> bool:
        return key in self.behind


@contextlib.contextmanager
def sync_door() -> Iterator[Callable[[Any], Any]]:
    """The cache itself."""
    yield lambda cache: cache


@contextlib.contextmanager
def async_door() -> Iterator[Callable[[Any], Any]]:
    """The cache behind its async verbs."""
    with asyncio.Runner() as runner:
        yield lambda cache: AsyncDoor(cache, runner)


DOORS = {"sync": sync_door, "async": async_door}
