"""What a table has, looked at by Django's class, whose format it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.db import DatabaseCache
from django.db import connections

from kit.contestants import PREFIX


class Table:
    """One table of one database; nothing that this does is timed."""

    def __init__(self, database: str, name: str) -> None:
        self._connection = connections[database]
        self._name = self._connection.ops.quote_name(name)
        self._django = DatabaseCache(name, {})

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._run(f"DELETE FROM {self._name} WHERE cache_key = %s", PREFIX + key)

    def stored(self, key: str) -> bytes | None:
        value = self._django.get(key)
        return None if value is None else str(value).encode()

    def seconds_left(self, key: str) -> float:
        question = f"SELECT expires FROM {self._name} WHERE cache_key = %s"
        [(expires,)] = self._run(question, PREFIX + key)
        if expires.tzinfo is None:
            expires = expires.replace(tzinfo=UTC)
        return (expires - datetime.now(UTC)).total_seconds()

    @contextmanager
    def hidden(self, key: str) -> Iterator[None]:
        rename = f"UPDATE {self._name} SET cache_key = %s WHERE cache_key = %s"
        self._run(rename, "away", PREFIX + key)
        yield
        self._run(rename, PREFIX + key, "away")

    def _run(self, statement: str, *parameters: str) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []
