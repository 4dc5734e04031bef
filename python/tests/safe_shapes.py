"""Classes and names that the tests of the restricted unpickler share."""

from __future__ import annotations

import collections
import datetime
import enum
import os
import sys
import types
import zoneinfo
from collections.abc import Iterator
from typing import Any

import pytest
from hotclub.django.safe_pickle import SafePickle

KEY = "a key of sixteen"
UTC, BERLIN = datetime.timezone.utc, zoneinfo.ZoneInfo("UTC")  # noqa: UP017
#: What ``cache_page`` stores.
OF_PAGES = ["django.http.response.*", "http.cookies.*"]
OF_PAGES_EXACTLY = [
    "django.http.response.HttpResponse",
    "django.http.response.ResponseHeaders",
    "http.cookies.Morsel",
    "http.cookies.SimpleCookie",
]

calls: list[Any] = []


class Color(enum.Enum):
    RED = 1


class Point:
    """A class of the site's own."""

    def __init__(self, x: int = 0) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and vars(self) == vars(other)

    def __call__(self, *arguments: Any) -> Any:
        calls.append(arguments)


class Slotted:
    __slots__ = ("x",)


class Stated(Point):
    def __getstate__(self) -> Any:
        return [self.x]

    def __setstate__(self, state: Any) -> None:
        self.x = state[0]


class Chain(list[Any]):
    """A list with attributes."""


class Meta(type):
    pass


class Outer:
    class Inner:
        pass


def a_function() -> str:
    return "called"


OWN = "own_shapes"
THE_POINT = Point(1)


@pytest.fixture(autouse=True)
def _own_module() -> Iterator[None]:
    """Puts the classes above into a module that can be imported by name."""
    module = types.ModuleType(OWN)
    given = (Color, Point, Slotted, Stated, Chain, Meta, Outer, Outer.Inner, a_function)
    for one in given:
        one.__module__ = OWN
        setattr(module, one.__name__, one)
    module.THE_POINT = THE_POINT  # type: ignore[attr-defined]
    module.os = os  # type: ignore[attr-defined]
    module.Borrowed = collections.ChainMap  # type: ignore[attr-defined]
    del module.Inner
    below = types.ModuleType(f"{OWN}.below")
    sys.modules |= {OWN: module, below.__name__: below}
    yield
    del sys.modules[OWN], sys.modules[below.__name__]


ALL_OWN = SafePickle(
    f"{OWN}.{name}"
    for name in ("Color", "Point", "Slotted", "Stated", "Chain", "a_function", "THE_POINT")
)


class Bomb:
    """Makes a folder when it is unpickled, in one of several ways."""

    def __init__(self, reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return tuple(iter(one.many) if isinstance(one, Again) else one for one in self.reduced)


class Again:
    """Many things to go over, more than once."""

    def __init__(self, many: list[Any]) -> None:
        self.many = many
