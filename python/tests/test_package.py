"""The package itself: what it exports, says of itself, and does not do when it is imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import warnings
from importlib.resources import files
from unittest import mock

import hotclub
import hotclub.django
import pytest
from hotclub import _hotclub

import programs


def test_the_version_is_that_of_the_distribution() -> None:
    assert hotclub.__version__ == importlib.metadata.version("hotclub")


@pytest.mark.parametrize("module", [hotclub, hotclub.django], ids=lambda module: module.__name__)
def test_every_public_name_exists_and_says_what_it_is(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    for name in names:
        assert name.startswith("__") or getattr(module, name).__doc__


def test_django_finds_its_classes_under_their_documented_paths() -> None:
    assert hotclub.django.LocMemCache.__name__ == "LocMemCache"
    assert hotclub.django.DummyCache.__name__ == "DummyCache"


def test_types_are_shipped() -> None:
    assert (files("hotclub") / "py.typed").is_file()
    assert (files("hotclub") / "_hotclub.pyi").is_file()


def test_this_build_is_optimised() -> None:
    assert _hotclub.DEBUG_BUILD is False


@pytest.fixture
def again() -> object:
    """Import the package once more, and put the first one back."""
    yield lambda: importlib.reload(hotclub)
    importlib.reload(hotclub)


def test_a_build_without_optimisation_warns_at_import(again: object) -> None:
    debug = mock.patch.object(_hotclub, "DEBUG_BUILD", True)
    with debug, pytest.warns(RuntimeWarning, match="without optimis"):
        again()  # type: ignore[operator]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again()  # type: ignore[operator]


LOOK = """
import os, sys, threading
def look():
    return len(os.listdir("/proc/self/task")), threading.active_count(), len(os.listdir("/proc/self/fd"))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_importing_and_using_starts_no_thread_and_opens_no_file() -> None:
    programs.run(
        LOOK
        + """
from django.conf import settings
ours = {"BACKEND": "hotclub.django.LocMemCache"}
bounded = ours | {"LOCATION": "b", "OPTIONS": {"MAX_BYTES": 10**6}}
settings.configure(CACHES={"default": ours, "b": bounded})
import django
django.setup()
import asyncio, pickle
from django.core.cache import cache, caches
import django.core.cache.backends.locmem
before = look()
import hotclub, hotclub.django
assert look() == before, "import"
for alias in ("default", "b"):
    caches[alias].set("k", {"a": [1]}, 60)
    assert caches[alias].get("k") == {"a": [1]}
    caches[alias].get_or_set("n", lambda: 1)
assert look() == before, "use"
"""
    )


def test_the_package_works_without_django() -> None:
    programs.run(
        """
        import sys
        sys.modules["django"] = None
        import hotclub
        with hotclub.trace() as table:
            table.step("a step", "done")
        assert len(table) == 1 and "a step" in str(table)
        """
    )


@pytest.mark.skipif(not hasattr(sys, "_is_gil_enabled"), reason="this Python knows no other mode")
def test_the_module_asks_for_the_gil() -> None:
    assert programs.run("import sys, hotclub; print(sys._is_gil_enabled())") == "True\n"


def test_a_process_ends_cleanly_with_full_stores_and_a_recording() -> None:
    programs.run(
        """
        import hotclub, threading
        from django.core.cache import cache
        cache.set_many({str(n): {"n": [n, "x" * n]} for n in range(200)})
        block = hotclub.trace()
        block.__enter__()
        threading.Thread(target=lambda: [cache.get("5") for _ in range(1000)], daemon=True).start()
        """,
        {"default": {"BACKEND": "hotclub.django.LocMemCache"}},
    )
