"""Django's promise to subclasses: an overridden sync verb answers its async twin too, in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import django
import pytest
from django.core.cache.backends.base import BaseCache
from hotclub.django import LocMemCache

from backends import a_location


async def loaded() -> str:
    await asyncio.sleep(0)
    return "awaited"


# Before Django 6.1 the async twins of the others never asked the sync verb.
OVERRIDABLE = ["get", "set", "add", "touch", "delete", "clear"]
if django.VERSION >= (6, 1):
    OVERRIDABLE += ["get_many", "set_many", "delete_many", "has_key", "incr", "get_or_set"]


@pytest.mark.parametrize("verb", OVERRIDABLE)
def test_an_overridden_sync_verb_answers_its_async_twin_in_a_thread(verb: str) -> None:
    seen: list[int] = []

    def slow(self: Any, *arguments: Any, **keywords: Any) -> Any:
        seen.append(threading.get_ident())
        time.sleep(0.001)
        return getattr(LocMemCache, verb)(self, *arguments, **keywords)

    cache = type("Slow", (LocMemCache,), {verb: slow})(a_location(), {})
    LocMemCache.set(cache, "k", 1)
    many: dict[str, tuple[Any, ...]] = {"get_many": (["k"],), "delete_many": (["k"],), "clear": ()}
    placed = many | {
        "set_many": ({"k": 1},),
        **dict.fromkeys(["set", "add", "get_or_set"], ("k", 1)),
    }
    asyncio.run(getattr(cache, f"a{verb}")(*placed.get(verb, ("k",))))
    assert seen
    assert threading.get_ident() not in seen


def test_an_overridden_verb_is_used_by_the_compound_async_verbs() -> None:
    class Counted(LocMemCache):
        gets = 0

        def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
            Counted.gets += 1
            return super().get(key, default, version)

    cache = Counted(a_location(), {})
    asyncio.run(cache.aget_or_set("k", 1))
    asyncio.run(cache.aget_many(["k", "l"]))
    assert Counted.gets == 4
    assert type(cache).aset is LocMemCache.aset
    assert type(cache).aget is BaseCache.aget


def test_a_subclass_with_verbs_of_its_own_still_awaits_loaders() -> None:
    class Slow(LocMemCache):
        def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
            return super().get(key, default, version)

    cache = Slow(a_location(), {})
    assert asyncio.run(cache.aget_or_set("k", loaded)) == "awaited"
    assert cache.get("k") == "awaited"


def test_a_subclass_may_have_async_verbs_of_its_own() -> None:
    class Own(LocMemCache):
        def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
            return "sync"

        async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
            return "async"

    assert asyncio.run(Own(a_location(), {}).aget("k")) == "async"


def test_a_subclass_of_a_subclass_keeps_what_was_overridden() -> None:
    class Slow(LocMemCache):
        def set(self, *arguments: Any, **keywords: Any) -> None:
            self.thread = threading.get_ident()
            super().set(*arguments, **keywords)

    class Below(Slow):
        pass

    cache = Below(a_location(), {})
    asyncio.run(cache.aset("k", 1))
    assert cache.thread != threading.get_ident()
    assert cache.get("k") == 1
