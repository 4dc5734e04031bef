"""The backends that every topic runs over. A later backend joins with one entry."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Backend:
    """One way to fill in ``CACHES``, and what the tests may expect of it."""

    #: Begins with the name of the room, so that ``-k memory`` finds its tests.
    name: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    #: Stores what it is given.
    keeps: bool = True
    #: Has Django's exact culling and the order of least recent use.
    culls: bool = True
    #: Django's own class, in whose place it stands.
    replaces: str = "django.core.cache.backends.locmem.LocMemCache"

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings of an alias, with a LOCATION of its own if none is given."""
        options = {**self.options, **more.pop("OPTIONS", {})}
        location = more.pop("LOCATION", None) or a_location()
        return {"BACKEND": self.path, "LOCATION": location, "OPTIONS": options, **more}


_numbers = itertools.count(1)


def a_location() -> str:
    """A name that no test had before."""
    return f"tests-{next(_numbers)}"


LOCMEM = "hotclub.django.LocMemCache"
BACKENDS = (
    Backend("memory-lru", LOCMEM),
    Backend("memory-s3fifo", LOCMEM, {"POLICY": "s3-fifo", "MAX_BYTES": "16MiB"}, culls=False),
    Backend(
        "dummy",
        "hotclub.django.DummyCache",
        keeps=False,
        culls=False,
        replaces="django.core.cache.backends.dummy.DummyCache",
    ),
)
KEEPING = tuple(backend for backend in BACKENDS if backend.keeps)
