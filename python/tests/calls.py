"""Random calls of verbs, and what came of them in a form that compares exactly."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

KEYS = ["a", "b", "c", "d", "e", 1, None, ("t",), "é"]
VALUES: list[Any] = [
    0,
    1,
    -7,
    2**63 - 1,
    2**70,
    True,
    1.5,
    "text",
    b"b",
    None,
    [1],
    {"a": [2]},
    (1, [2]),
]
DELTAS: list[Any] = [1, 1, 5, -3, 2**63, 0.5, True, "x", None, [2]]
VERSIONS: list[Any] = [None, None, None, 1, 2, "v"]
Chance = random.Random
Call = tuple[str, tuple[Any, ...], dict[str, Any]]


def some_keys(chance: Chance) -> list[Any]:
    return chance.choices(KEYS, k=chance.choice([0, 1, 3, 6]))


def arguments(verb: str, chance: Chance) -> dict[str, Any]:
    """Arguments by name, in their order."""
    key = chance.choice(KEYS)
    timeout = chance.choice([None, 1000, 1000.5])
    version = chance.choice(VERSIONS)
    if verb in ("set", "add"):
        return {"key": key, "value": chance.choice(VALUES), "timeout": timeout, "version": version}
    if verb == "get_or_set":
        value = chance.choice(VALUES)
        default = chance.choice([value, lambda: value])
        return {"key": key, "default": default, "timeout": timeout, "version": version}
    if verb == "get":
        return {"key": key, "default": chance.choice(VALUES), "version": version}
    if verb == "touch":
        return {"key": key, "timeout": timeout, "version": version}
    if verb in ("get_many", "delete_many"):
        return {"keys": some_keys(chance), "version": version}
    if verb == "set_many":
        data = {key: chance.choice(VALUES) for key in some_keys(chance)}
        return {"data": data, "timeout": timeout, "version": version}
    if verb in ("incr", "decr"):
        return {"key": key, "delta": chance.choice(DELTAS), "version": version}
    if verb in ("incr_version", "decr_version"):
        return {"key": key, "delta": chance.choice([1, 1, 2, -1]), "version": version}
    if verb in ("clear", "close"):
        return {}
    return {"key": key, "version": version}


def random_call(verbs: list[str], chance: Chance) -> Call:
    """A verb with arguments, some by place and the rest by name, with tail ones left out."""
    verb = chance.choice(verbs)
    named = list(arguments(verb, chance).items())
    required = {"set": 2, "add": 2, "get_or_set": 2, "clear": 0, "close": 0}.get(verb, 1)
    named = named[: chance.randint(required, len(named))]
    placed = 0 if verb == "close" else chance.randint(0, len(named))
    return verb, tuple(value for _, value in named[:placed]), dict(named[placed:])


def outcome(function: Callable[..., Any], placed: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a call gives or raises, in a form that compares exactly."""
    try:
        given = function(*placed, **named)
    except Exception as error:
        return family(error)
    if isinstance(given, dict):
        return [(key, type(value), value) for key, value in given.items()]
    return type(given), given


def family(error: Exception) -> Any:
    """Class and text of an error; of one that a server gave, or would have, only that."""
    modules = ("redis.exceptions", "pymemcache.exceptions")
    bases = {base.__name__ for base in type(error).__mro__ if base.__module__ in modules}
    if bases & {"ResponseError", "DataError", "MemcacheClientError"}:
        return "refused"
    return ("RedisError", bases) if bases else (type(error), str(error))


def perform(target: Any, call: Call) -> Any:
    """The outcome of a call, with its list of keys behind an iterator where it has one."""
    verb, placed, named = call
    if verb in ("get_many", "delete_many"):
        placed = (*map(iter, placed[:1]), *placed[1:])
        named = {name: iter(value) if name == "keys" else value for name, value in named.items()}
    return outcome(getattr(target, verb), placed, named)
