"""Where a test's own set-up reaches into Django's class; never an assertion.

Each adaptation is used only when it must be, and says so in the output. With Django's own class none is, but
for the sleep beside a server, which is about the server.
"""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found"
import importlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

from django.core.management import call_command

from upstream.kinds import Kind
from upstream.plan import Plan

#: Seconds; more than the millisecond in which Redis counts.
SERVER_TICK = 0.005


def adapt_own_tests(plan: Plan, kind: Kind, target: type[Any]) -> list[str]:
    """Prepares the test classes of the kind; returns what was adapted, for the output."""
    if plan.group not in ("own", "async") or plan.backend == kind.replaced:
        return []
    tests = importlib.import_module("cache.tests")
    if kind.name in ("file", "sqlite"):
        del tests.FileBasedCacheTests.test_touch
        said = ["FileBasedCacheTests.test_touch: the common one, for its own mocks Python's clock"]
        if kind.store == "database file":
            _name_a_file(tests.FileBasedCacheTests, tests.FileBasedCachePathLibTests)
            said.append("FileBasedCacheTests.mkdtemp: names a file in the directory that it makes")
        return said
    if kind.name == "locmem" and not _shares_dicts(target):
        del tests.LocMemCacheTests.setUp
        return [
            "LocMemCacheTests.setUp: left out, the class has no `_cache` and `_expire_info` to share"
        ]
    return []


def _name_a_file(*classes: Any) -> None:
    """LOCATION is a file in the directory that a test makes, which goes when the test does."""
    base = classes[0]

    def named(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def mkdtemp(test: Any) -> Any:
            directory = make(test)
            return type(directory)(os.path.join(directory, "cache.db"))

        return mkdtemp

    def tear_down(test: Any) -> None:
        super(base, test).tearDown()
        shutil.rmtree(os.path.dirname(test.dirname))

    makers = [(one, one.__dict__["mkdtemp"]) for one in classes]
    for one, make in makers:
        one.mkdtemp = named(make)
    base.tearDown = tear_down


def outsleep_the_server(plan: Plan, kind: Kind) -> list[str]:
    """Lets a test sleep past the millisecond in which its entry ends, where the server counts in those.

    Redis keeps an entry through the whole millisecond in which it expires. A test that stores for a second
    and sleeps for exactly one finds it now and then: with redis-py in 7 of 30 tries, with ours in 20.
    """
    if kind.store != "redis" or plan.group != "generic":
        return []
    tests, sleep = importlib.import_module("cache.tests").CacheMiddlewareTest, time.sleep
    longer = mock.patch("time.sleep", lambda seconds: sleep(seconds + SERVER_TICK))
    tests.test_cache_page_timeout = longer(tests.test_cache_page_timeout)
    return [
        f"test_cache_page_timeout: sleeps {SERVER_TICK} s longer, past the server's millisecond"
    ]


def _shares_dicts(target: type[Any]) -> bool:
    cache = target("", {})
    return hasattr(cache, "_cache") and hasattr(cache, "_expire_info")


def open_database(plan: Plan, kind: Kind, tests: Iterable[Any]) -> None:
    """Lets tests that know nothing of databases use one, when the cache lives in it."""
    if kind.store == "table" and plan.group in ("generic", "apps"):
        for test in tests:
            if not getattr(test, "databases", None):
                type(test).databases = {"default"}


def create_tables(plan: Plan, kind: Kind) -> None:
    """Creates the tables that stand for the LOCATIONs of LocMemCache."""
    if kind.store == "table" and plan.group in ("generic", "apps"):
        call_command("createcachetable", *plan.locations, database="default", verbosity=0)
