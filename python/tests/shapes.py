"""Values written out in full: exact types, order, sharing and cycles, so that ``==`` compares all of it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any


def shape(value: Any, seen: dict[int, int] | None = None) -> Any:
    """What a value is, as nested tuples; a mutable object met again is its number."""
    seen = {} if seen is None else seen
    kind = type(value).__qualname__
    if isinstance(value, float):
        return kind, struct.pack("<d", value)
    mutable = isinstance(value, (list, dict, set, bytearray)) or hasattr(value, "__dict__")
    if mutable:
        if id(value) in seen:
            return "again", seen[id(value)]
        seen[id(value)] = len(seen)
    inside: list[Any] = []
    if isinstance(value, dict):
        inside = [(shape(key, seen), shape(item, seen)) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        inside = [shape(item, seen) for item in value]
    elif isinstance(value, (set, frozenset)):
        inside = sorted((shape(item, seen) for item in value), key=repr)
    else:
        return kind, repr(value)
    return kind, tuple(inside), shape(vars(value), seen) if hasattr(value, "__dict__") else None


Chance = random.Random


def _text(chance: Chance) -> str:
    alphabet = chance.choice(["abc ", "é\u2028ß", "日本語", "\U0001f3b7a", "\x00\x7f\n"])
    return "".join(chance.choices(alphabet, k=chance.choice([0, 1, 3, 40, 300])))


def _integer(chance: Chance) -> int:
    bits = chance.choice([0, 1, 6, 7, 8, 31, 32, 62, 63, 64, 65, 200])
    return chance.choice([1, -1]) * (chance.getrandbits(bits) if bits else 0)


_LEAVES: list[Callable[[Chance], Any]] = [
    lambda chance: None,
    lambda chance: chance.random() < 0.5,
    _integer,
    _integer,
    lambda chance: chance.choice([0.0, -0.0, 1.5, float("nan"), float("inf"), chance.random()]),
    _text,
    _text,
    lambda chance: chance.randbytes(chance.choice([0, 1, 20, 300])),
]


def random_value(chance: Chance, depth: int = 0, made: list[Any] | None = None) -> Any:
    """A nested value of common types; now and then an object appears twice in it."""
    made = [] if made is None else made
    if made and chance.random() < 0.03:
        return chance.choice(made)
    if depth > 5 or chance.random() < 0.45:
        return chance.choice(_LEAVES)(chance)

    def some() -> list[Any]:
        count = chance.choice([0, 1, 2, 3, 5, 20 if depth < 2 else 2])
        return [random_value(chance, depth + 1, made) for _ in range(count)]

    def keys() -> list[Any]:
        return [chance.choice(_LEAVES)(chance) for _ in range(chance.randrange(6))]

    kind = chance.randrange(8)
    value: Any = None
    if kind < 2:
        value = some()
    elif kind == 2:
        value = tuple(some())
    elif kind < 6:
        value = dict(zip([*keys(), (1, "k")], some(), strict=False))
    elif kind == 6:
        value = chance.choice([set, frozenset])(keys())
    else:
        value = bytearray(chance.randbytes(5))
    made.append(value)
    return value
