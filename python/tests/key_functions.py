"""KEY_FUNCTIONs that settings name."""

from __future__ import annotations

from typing import Any


def shout(key: Any, prefix: Any, version: Any) -> str:
    """All three parts, in another order."""
    return f"{version}!{prefix}!{key}"


def as_it_is(key: Any, prefix: Any, version: Any) -> Any:
    """Take full keys, to look at a store from behind."""
    return key
