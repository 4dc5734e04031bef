"""Where a test's own set-up reaches into Django's class; never an assertion.

Each adaptation is used only when it must be, and says so in the output. With Django's own class none is.
"""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found"
import importlib
from collections.abc import Iterable
from typing import Any

from django.core.management import call_command

from upstream.kinds import Kind
from upstream.plan import Plan


def adapt_own_tests(plan: Plan, kind: Kind, target: type[Any]) -> list[str]:
    """Prepares the test classes of the kind; returns what was adapted, for the output."""
    if plan.group not in ("own", "async") or plan.backend == kind.replaced:
        return []
    tests = importlib.import_module("cache.tests")
    if kind.name == "file":
        del tests.FileBasedCacheTests.test_touch
        return ["FileBasedCacheTests.test_touch: the common one, for its own mocks Python's clock"]
    if kind.name == "locmem" and not _shares_dicts(target):
        del tests.LocMemCacheTests.setUp
        return [
            "LocMemCacheTests.setUp: left out, the class has no `_cache` and `_expire_info` to share"
        ]
    return []


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
