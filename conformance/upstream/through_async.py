"""The async group: the sync tests of a backend, each call sent through the `a*` method.

Django has no async tests of a real backend, so this is our construction over Django's assertions. Every call
runs in an event loop of its own, which is also a hard test of connections that are bound to a loop.
"""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found"
import importlib
from collections.abc import Iterator
from typing import Any

from asgiref.sync import async_to_sync

# fmt: off
VERBS = {
    "add", "get", "set", "touch", "delete", "get_or_set", "has_key", "incr", "decr", "clear", "close",
    "get_many", "set_many", "delete_many", "incr_version", "decr_version",
}
# fmt: on


class AsyncCache:
    """A cache whose verbs go through their async twins; all other attributes are the cache's own."""

    def __init__(self, cache: Any) -> None:
        object.__setattr__(self, "_real_cache", cache)

    def __getattr__(self, name: str) -> Any:
        cache = object.__getattribute__(self, "_real_cache")
        return async_to_sync(getattr(cache, f"a{name}")) if name in VERBS else getattr(cache, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_real_cache"), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(object.__getattribute__(self, "_real_cache"), name)

    def __contains__(self, key: Any) -> bool:
        return bool(self.has_key(key))


class AsyncCaches:
    """Stands for `django.core.cache.caches` and hands out caches of the sort above."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __getitem__(self, alias: str) -> AsyncCache:
        return AsyncCache(self._handler[alias])

    def __iter__(self) -> Iterator[str]:
        return iter(self._handler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)


def install() -> None:
    """Replaces `cache` and `caches` in the module `cache.tests`."""
    tests = importlib.import_module("cache.tests")
    tests.cache = AsyncCache(tests.cache)  # type: ignore[attr-defined]
    tests.caches = AsyncCaches(tests.caches)  # type: ignore[attr-defined]
