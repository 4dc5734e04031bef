"""Puts our cache class where tests name another, and watches which caches are made.

Tests name their caches through settings. Wrapping `override_settings.enable` catches the decorators on
classes and methods and `self.settings()` alike; nothing else of Django is changed. The cache handler is only
watched, to prove afterwards that our class was the one under test.
"""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found"
import copy
import importlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from django.core.cache import CacheHandler
from django.test.utils import override_settings
from django.utils.module_loading import import_string

from upstream.kinds import LOCMEM, Kind
from upstream.plan import Plan


class Substitution:
    """Rewrites CACHES and remembers which caches were made. How it rewrites, each sort of tests says."""

    def __init__(self, plan: Plan) -> None:
        self.backend: str = plan.backend
        self.target: type[Any] = import_string(plan.backend)
        self.locations = plan.locations
        self.instances = 0
        self.strangers: set[str] = set()
        self._places: dict[str, str] = {}

    def install(self) -> None:
        """Puts the substitution in place; before the tests are loaded."""
        self._wrap_enable()

    def rewrite(self, caches: dict[str, Any]) -> dict[str, Any]:
        """A deep copy of CACHES with our class in it."""
        caches = copy.deepcopy(caches)
        for params in caches.values():
            self.rewrite_one(params)
        return caches

    def rewrite_one(self, params: dict[str, Any]) -> None:
        """Changes one entry of CACHES, in place."""
        raise NotImplementedError

    def place(self, location: str) -> str:
        """A store of its own for each LOCATION that a test made up.

        The unnamed one is the store of the process-wide default cache.
        """
        if not self.locations:
            return location
        self._places.setdefault("", self.locations[0])
        if location not in self._places:
            self._places[location] = self.locations[len(self._places)]
        return self._places[location]

    def _wrap_enable(self) -> None:
        original: Callable[[Any], None] = override_settings.enable

        def enable(override: Any) -> None:
            # Once per instance: decorators are enabled again and again, and FileBasedCacheTests writes its
            # folder into the copy that it finds in the settings.
            caches = override.options.get("CACHES")
            if isinstance(caches, dict) and not getattr(override, "hotclub_rewritten", False):
                override.options = {**override.options, "CACHES": self.rewrite(caches)}
                override.hotclub_rewritten = True
            original(override)

        override_settings.enable = enable

    def watch(self, replaced: set[str]) -> None:
        """Counts the caches that are made from now on: ours, and those of classes that should be replaced."""
        original: Callable[[Any, str], Any] = CacheHandler.create_connection

        def create_connection(handler: Any, alias: str) -> Any:
            cache = original(handler, alias)
            name = f"{type(cache).__module__}.{type(cache).__qualname__}"
            if isinstance(cache, self.target):
                self.instances += 1
            elif name in replaced - {self.backend}:
                self.strangers.add(name)
            return cache

        CacheHandler.create_connection = create_connection


class InDjangosTests(Substitution):
    """One group of one kind of Django's own tests."""

    def __init__(self, plan: Plan, kind: Kind) -> None:
        super().__init__(plan)
        self.kind = kind
        self.elsewhere = plan.group in ("generic", "apps")

    def install(self) -> None:
        """Also rebuilds the helper caches of Django's tests."""
        if self.elsewhere:
            self._derive_helpers()
        super().install()

    def rewrite_one(self, params: dict[str, Any]) -> None:
        """Own and async name Django's class of this kind; all others name LocMemCache."""
        backend = params.get("BACKEND", "")
        if backend == self.kind.replaced:
            params["BACKEND"] = self.backend
        elif self.elsewhere and backend == LOCMEM:
            params.update(BACKEND=self.backend, LOCATION=self.place(_location(params)))
        elif self.elsewhere and backend.rpartition(".")[0] in self.kind.derived:
            params["LOCATION"] = self.place(_location(params))

    def _derive_helpers(self) -> None:
        """Imports Django's helper caches while our class goes by the name of the one they inherit from."""
        with mock.patch(LOCMEM, self.target):
            for module in self.kind.derived:
                importlib.import_module(module)

    def watch_from_now(self) -> None:
        """Not earlier: Django's set-up makes a cache of its own class."""
        self.watch({self.kind.replaced, *((LOCMEM,) if self.elsewhere else ())})


def _location(params: dict[str, Any]) -> str:
    return str(params.get("LOCATION", ""))
