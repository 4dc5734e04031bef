"""What a folder has, looked at by Django's class, whose format it is."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.cache.backends.filebased import FileBasedCache
from django.utils.module_loading import import_string


class Files:
    """The entries of one folder; nothing that this does is timed."""

    def __init__(self, folder: Path) -> None:
        self._django = FileBasedCache(str(folder), {})

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def stored(self, key: str) -> bytes | None:
        value = self._django.get(key)
        return None if value is None else str(value).encode()

    def seconds_left(self, key: str) -> float:
        with self._path(key).open("rb") as file:
            return pickle.load(file) - time.time()

    @contextmanager
    def hidden(self, key: str) -> Iterator[None]:
        path = self._path(key)
        away = path.rename(path.with_suffix(".away"))
        yield
        away.rename(path)

    def _path(self, key: str) -> Path:
        return Path(self._django._key_to_file(key))


def filled_by(backend: str, folder: Path, most_entries: int) -> Any:
    """A cache that is not among ``CACHES``."""
    return import_string(backend)(str(folder), {"OPTIONS": {"MAX_ENTRIES": most_entries}})
