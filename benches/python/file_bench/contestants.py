"""The caches that are compared, opened alike: one ``CACHES``, the same timeout, as many entries.

hotclub's class and Django's write the same files, each into folders of its own. diskcache keeps small
values in SQLite, in eight shards by default.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.cache import caches

from file_bench.store import Files, filled_by
from kit.contestants import Contestant, Serverless, alias, configure
from kit.diskcaches import Entries

HOTCLUB, DJANGO = "hotclub FileBasedCache", "Django FileBasedCache"
DISKCACHE = "diskcache DjangoCache"
DISK, MEMORY = "disk", "memory"
#: What the folders hold before a row, and MAX_ENTRIES, which is never reached.
FEW, SOME, MANY, MOST = 100, 1_500, 100_000, 1_000_000
_OURS = "hotclub.django.FileBasedCache"
_BACKENDS = {
    HOTCLUB: _OURS,
    DJANGO: "django.core.cache.backends.filebased.FileBasedCache",
    DISKCACHE: "diskcache.DjangoCache",
}


def at(name: str, entries: int) -> str:
    """A contestant in the row that compares numbers of entries."""
    return f"{name} at {entries} entries"


def subject_of(name: str) -> str:
    """Whom a contestant is compared with."""
    return at(HOTCLUB, MANY) if name.endswith(" entries") else HOTCLUB


class Arena:
    """Opens contestants in folders below the given ones."""

    def __init__(self, places: dict[str, Path]) -> None:
        self.places = places
        self._full: set[str] = set()
        configure(
            {
                _alias(name, place, entries): {
                    "BACKEND": path,
                    "LOCATION": str(self._folder(name, place, entries)),
                    "OPTIONS": {} if name == DISKCACHE else {"MAX_ENTRIES": MOST},
                }
                for name, path in _BACKENDS.items()
                for place in places
                for entries in (FEW, SOME, MANY)
            }
        )

    def open(self, place: str, entries: int = SOME) -> Iterable[Contestant]:
        return (self._opened(name, name, place, entries) for name in _BACKENDS)

    def open_with_many(self, place: str) -> Iterable[Contestant]:
        """hotclub's beside itself with fewer."""
        for name, entries in ((HOTCLUB, SOME), (HOTCLUB, MANY), (DJANGO, MANY)):
            yield self._opened(at(name, entries), name, place, entries)

    def _opened(self, label: str, name: str, place: str, entries: int) -> Contestant:
        which = _alias(name, place, entries)
        cache, folder = caches[which], self._folder(name, place, entries)
        if which not in self._full:
            self._full.add(which)
            self._fill(cache, folder, name, entries)
        store: Any = Entries(cache._cache) if name == DISKCACHE else Files(folder)
        return Serverless(label, cache, store)

    def _fill(self, cache: Any, folder: Path, name: str, entries: int) -> None:
        if name == DJANGO:
            # Which takes hours for many entries; the files are the same.
            cache = filled_by(_OURS, folder, MOST)
        for number in range(entries):
            cache.set(f"entry:{number}", number)

    def _folder(self, name: str, place: str, entries: int) -> Path:
        return self.places[place] / f"{list(_BACKENDS).index(name)}-{entries}"


def _alias(name: str, place: str, entries: int) -> str:
    return alias(name, f"{place} {entries}")
