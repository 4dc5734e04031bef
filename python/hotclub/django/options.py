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


#: Every option of the embedded store, with what it must be.
SQLITE_OPTIONS = {
    "MAX_ENTRIES": "a whole number",
    "CULL_FREQUENCY": "a whole number",
    "MAX_BYTES": 'a whole number above 0, or text like "64MiB"',
    "EVICTION": 'one of "use", "age", "never"',
    "SYNCHRONOUS": 'one of "off", "normal", "full"',
    "LOCK_LIMIT": "a number of seconds above 0 and up to a day",
}
_SQLITE_WORDS = {
    # diskcache's words mean the same.
    "EVICTION": ("use", "age", "never", "least-recently-used", "least-recently-stored", "none"),
    "SYNCHRONOUS": ("off", "normal", "full"),
}


@dataclass(frozen=True, slots=True)
class SQLiteOptions:
    """What the embedded store needs beside Django's own options."""

    max_bytes: int
    eviction: str
    synchronous: str
    lock_limit: float
    max_entries_given: bool


class _Given:
    """OPTIONS of one class, of which each is read once; wrong ones raise ImproperlyConfigured."""

    def __init__(self, cache: str, params: dict[str, Any], known: dict[str, str]) -> None:
        self.options = params.get("OPTIONS") or {}
        self.cache, self.known = cache, known
        if not isinstance(self.options, Mapping):
            raise ImproperlyConfigured(
                f"hotclub: OPTIONS of {cache} must be a dict, not {self.options!r}"
            )
        for name in self.options:
            if name not in known:
                raise ImproperlyConfigured(
                    f"hotclub: {cache} has no option {name!r}; known are {', '.join(known)}"
                )

    def refuse(self, name: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(
            f"hotclub: {self.cache}: OPTIONS[{name!r}] must be {self.known[name]}, "
            f"not {self.options[name]!r}"
        )

    def bytes(self, name: str) -> int | None:
        if self.options.get(name) is None:
            return None
        number = parse_bytes(self.options[name])
        if number is None:
            raise self.refuse(name)
        return number

    def level(self, name: str, default: int) -> int:
        level = self.options.get(name, default)
        if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= 9:
            raise self.refuse(name)
        return level

    def limit(self, name: str, default: float) -> float:
        limit = self.options.get(name, default)
        if (
            isinstance(limit, bool)
            or not isinstance(limit, (int, float))
            or not 0 < limit <= 86_400
        ):
            raise self.refuse(name)
        return float(limit)

    def word(self, name: str, default: str, words: tuple[str, ...]) -> str:
        word = self.options.get(name, default)
        if not isinstance(word, str) or word.lower() not in words:
            raise self.refuse(name)
        return word.lower()


def file_options(params: dict[str, Any]) -> FileOptions:
    """Read the options of files."""
    given = _Given("FileBasedCache", params, FILE_OPTIONS)
    return FileOptions(
        given.bytes("MAX_BYTES"), given.level("LEVEL", 6), given.limit("LOCK_LIMIT", 2.0)
    )


def sqlite_options(params: dict[str, Any]) -> SQLiteOptions:
    """Read the options of the embedded store."""
    given = _Given("SQLiteCache", params, SQLITE_OPTIONS)
    return SQLiteOptions(
        max_bytes=given.bytes("MAX_BYTES") or 2**30,
        eviction=given.word("EVICTION", "use", _SQLITE_WORDS["EVICTION"]),
        synchronous=given.word("SYNCHRONOUS", "normal", _SQLITE_WORDS["SYNCHRONOUS"]),
        lock_limit=given.limit("LOCK_LIMIT", 5.0),
        max_entries_given=any(
            value is not None
            for value in (params.get("max_entries"), given.options.get("MAX_ENTRIES"))
        ),
    )


#: Every option of the database class, with what it must be.
DATABASE_OPTIONS = {
    "MAX_ENTRIES": "a whole number",
    "CULL_FREQUENCY": "a whole number",
    "PRECISION": 'one of "seconds", "milliseconds"',
}


def database_options(params: dict[str, Any]) -> str:
    """Read our own option, PRECISION."""
    given = _Given("DatabaseCache", params, DATABASE_OPTIONS)
    return given.word("PRECISION", "seconds", ("seconds", "milliseconds"))
