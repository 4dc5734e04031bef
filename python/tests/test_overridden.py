"""Django's promise to subclasses: an overridden verb changes what the replaced class makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.cache.backends.base import BaseCache
from django.core.management import call_command
from hotclub import django as ours

from memcached_servers import MemcachedServer

BESIDE = {
    "LocMemCache": "locmem",
    "FileBasedCache": "filebased",
    "DatabaseCache": "db",
}
#: With arguments for one entry that is there.
VERBS: dict[str, tuple[Any, ...]] = {
    "get": ("k",),
    "set": ("k", 1),
    "add": ("new", 1),
    "delete": ("k",),
    "touch": ("k",),
    "get_many": (["k"],),
    "set_many": ({"k": 1},),
    "delete_many": (["k"],),
    "has_key": ("k",),
    "incr": ("k",),
    "decr": ("k",),
    "get_or_set": ("k", 1),
    "incr_version": ("k",),
}
#: In a file, which the threads of async verbs see too.
TABLE = "overridden_in_sqlite"


@pytest.fixture(params=BESIDE)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[type, type, Callable[[], Any]]:
    """Our class, Django's, and where."""
    name = request.param
    theirs = getattr(import_module(f"django.core.cache.backends.{BESIDE[name]}"), name)
    where = {"FileBasedCache": str(tmp_path), "DatabaseCache": TABLE}.get(name, "overridden")
    if name == "DatabaseCache":
        call_command("createcachetable", TABLE, database="sqlite", verbosity=0)
    return getattr(ours, name), theirs, where


def reached(
    plain: type, overridden: str, where: Any, called: Callable[[Any, str], Any]
) -> set[str]:
    """The verbs that go through the overridden one."""
    hits: list[str] = []

    def over(self: Any, *arguments: Any, **keywords: Any) -> Any:
        hits.append(overridden)
        return getattr(super(changed, self), overridden)(*arguments, **keywords)

    changed: Any = type("Changed", (plain,), {overridden: over})
    found = set()
    for verb in VERBS:
        beside: Any = plain(where, {})
        beside.set("k", 5)
        beside.delete("new")
        hits.clear()
        called(changed(where, {}), verb)
        if hits and verb != overridden:
            found.add(verb)
    return found


@pytest.mark.parametrize("overridden", [verb for verb in VERBS if verb != "incr_version"])
def test_what_is_made_of_an_overridden_verb_is_made_of_it_here(
    kind: tuple[type, type, Any], overridden: str
) -> None:
    own, theirs, where = kind

    def called(cache: Any, verb: str) -> None:
        getattr(cache, verb)(*VERBS[verb])

    assert reached(own, overridden, where, called) == reached(theirs, overridden, where, called)


@pytest.mark.parametrize("overridden", ["get", "set", "delete", "has_key"])
def test_so_are_the_async_ones(kind: tuple[type, type, Any], overridden: str) -> None:
    own, theirs, where = kind

    def called(cache: Any, verb: str) -> None:
        asyncio.run(getattr(cache, "a" + verb)(*VERBS[verb]))

    theirs_reached = reached(theirs, overridden, where, called)
    if django.VERSION < (6, 1):
        # Made of other async verbs there, whatever the sync ones do. Ours are one step.
        theirs_reached -= {"incr", "decr", "has_key"}
    assert theirs_reached - reached(own, overridden, where, called) == set()


def test_has_key_of_memcached_is_made_of_get(memcached_server: MemcachedServer) -> None:
    class Blind(ours.PyMemcacheCache):
        def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
            return default

    cache = Blind(memcached_server.address, {})
    cache.set("k", 1)
    assert cache.has_key("k") is False
    assert "k" not in cache
    assert asyncio.run(cache.ahas_key("k")) is False


def test_an_encrypting_subclass_of_the_embedded_store_is_one_everywhere(tmp_path: Path) -> None:
    class Reversed(ours.SQLiteCache):
        def set(self, key: Any, value: Any, *arguments: Any, **keywords: Any) -> None:
            super().set(key, value[::-1], *arguments, **keywords)

        def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
            found = super().get(key, None, version)
            return default if found is None else found[::-1]

    cache = Reversed(str(tmp_path / "store"), {})
    assert cache.set_many({"a": "abc", "b": "bcd"}) == []
    assert ours.SQLiteCache.get(cache, "a") == "cba"
    assert cache.get_many(["a", "b"]) == {"a": "abc", "b": "bcd"}
    assert asyncio.run(cache.aget_many(["a"])) == {"a": "abc"}
    assert cache._replaces is BaseCache
