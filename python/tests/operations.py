"""The verbs that take a key, and the warnings that they give."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda cache, key: cache.add(key, 1),
    "get": lambda cache, key: cache.get(key),
    "set": lambda cache, key: cache.set(key, 1),
    "incr": lambda cache, key: cache.incr(key),
    "decr": lambda cache, key: cache.decr(key),
    "touch": lambda cache, key: cache.touch(key),
    "delete": lambda cache, key: cache.delete(key),
    "get_many": lambda cache, key: cache.get_many(["fine", key]),
    "set_many": lambda cache, key: cache.set_many({key: 1, "fine": 2}),
    "delete_many": lambda cache, key: cache.delete_many([key, "fine"]),
    "has_key": lambda cache, key: cache.has_key(key),
    "get_or_set": lambda cache, key: cache.get_or_set(key, 1),
    "incr_version": lambda cache, key: cache.incr_version(key),
}
LONG, BLANK = "k" * 251, "a key with blanks\n"


def told(operation: Callable[[Any, Any], Any], cache: Any, key: Any) -> list[tuple[Any, str]]:
    """The warnings of an operation."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            operation(cache, key)
        except ValueError as error:
            assert "not found" in str(error)  # noqa: PT017
    return [(warning.category, str(warning.message)) for warning in caught]
