"""The two doors of a cache: the sync verbs, and the same names answered by the async ones."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from backends import Backend

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


def through_both(backends: Iterable[Backend]) -> dict[str, Any]:
    """The parameters of a fixture that goes over backends and doors, and their names."""
    pairs = list(itertools.product(backends, DOORS))
    return {"params": pairs, "ids": [f"{backend.name}-{door}" for backend, door in pairs]}


def over(fixture: str, backends: Iterable[Backend]) -> pytest.MarkDecorator:
    """Has a test go over these backends alone: ``over("make", IN_PROCESS)``."""
    both = through_both(backends)
    return pytest.mark.parametrize(fixture, both["params"], ids=both["ids"], indirect=True)
