"""OPTIONS as data: what is known, and what is wrong with what was given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

POLICIES = ("lru", "s3-fifo")
#: Every option of the memory classes, with what it must be.
MEMORY_OPTIONS = {
    "MAX_ENTRIES": "a whole number",
    "CULL_FREQUENCY": "a whole number",
    "MAX_BYTES": 'a whole number above 0, or text like "64MiB"',
    "POLICY": 'one of "lru", "s3-fifo"',
}

_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmg", start=1):
    _UNITS |= {_letter + rest: 1024**_power for rest in ("", "b", "ib")}
_BYTES = re.compile(r"\s*(\d+)\s*([a-zA-Z]*)\s*")


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """What a memory class needs beside Django's own options."""

    policy: str | None
    max_bytes: int | None
    max_entries_given: bool


def parse_bytes(value: Any) -> int | None:
    """Read a number of bytes, ``None`` if it is none: ``1048576``, ``"64MiB"``, ``"64 mb"``."""
    if isinstance(value, str):
        match = _BYTES.fullmatch(value)
        unit = _UNITS.get(match[2].lower()) if match else None
        if match is None or unit is None:
            return None
        value = int(match[1]) * unit
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        return None
    return value


def memory_options(params: dict[str, Any]) -> MemoryOptions:
    """Read our own options; wrong ones raise ImproperlyConfigured, since Django has no meaning for them."""
    options = params.get("OPTIONS") or {}
    policy = options.get("POLICY")
    if policy is not None and policy not in POLICIES:
        raise ImproperlyConfigured(
            f"hotclub: OPTIONS['POLICY'] must be {MEMORY_OPTIONS['POLICY']}, not {policy!r}"
        )
    max_bytes = None
    if (given := options.get("MAX_BYTES")) is not None:
        max_bytes = parse_bytes(given)
        if max_bytes is None:
            raise ImproperlyConfigured(
                f"hotclub: OPTIONS['MAX_BYTES'] must be {MEMORY_OPTIONS['MAX_BYTES']}, not {given!r}"
            )
    return MemoryOptions(policy, max_bytes, "max_entries" in params or "MAX_ENTRIES" in options)


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a file class needs beside Django's own options."""

    max_bytes: int | None
    level: int
    lock_limit: float


#: Every option of the file class, with what it must be.
FILE_OPTIONS = {
    "MAX_ENTRIES": "a whole number",
    "CULL_FREQUENCY": "a whole number",
    "MAX_BYTES": 'a whole number above 0, or text like "64MiB"',
    "LEVEL": "a whole number from 0 to 9",
    "LOCK_LIMIT": "a number of seconds above 0 and up to a day",
}


def file_options(params: dict[str, Any]) -> FileOptions:
    """Read our own options; wrong ones raise ImproperlyConfigured."""
    options = params.get("OPTIONS") or {}

    def refuse(name: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(
            f"hotclub: OPTIONS[{name!r}] must be {FILE_OPTIONS[name]}, not {options[name]!r}"
        )

    _no_others("FileBasedCache", options, FILE_OPTIONS)
    max_bytes = None
    if options.get("MAX_BYTES") is not None:
        max_bytes = parse_bytes(options["MAX_BYTES"])
        if max_bytes is None:
            raise refuse("MAX_BYTES")
    level = options.get("LEVEL", 6)
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= 9:
        raise refuse("LEVEL")
    limit = options.get("LOCK_LIMIT", 2.0)
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit <= 86_400:
        raise refuse("LOCK_LIMIT")
    return FileOptions(max_bytes, level, float(limit))


#: Every option of the database class, with what it must be.
DATABASE_OPTIONS = {
    "MAX_ENTRIES": "a whole number",
    "CULL_FREQUENCY": "a whole number",
    "PRECISION": 'one of "seconds", "milliseconds"',
}


def database_options(params: dict[str, Any]) -> str:
    """Read our own option, PRECISION; wrong ones raise ImproperlyConfigured."""
    options = params.get("OPTIONS") or {}
    _no_others("DatabaseCache", options, DATABASE_OPTIONS)
    precision = options.get("PRECISION", "seconds")
    if precision not in ("seconds", "milliseconds"):
        raise ImproperlyConfigured(
            f"hotclub: OPTIONS['PRECISION'] must be {DATABASE_OPTIONS['PRECISION']}, not {precision!r}"
        )
    return str(precision)


def _no_others(backend: str, options: Mapping[str, Any], known: Mapping[str, str]) -> None:
    """Refuse a name that is not known."""
    for name in options:
        if name not in known:
            raise ImproperlyConfigured(
                f"hotclub: {backend} has no option {name!r}; known are {', '.join(known)}"
            )
