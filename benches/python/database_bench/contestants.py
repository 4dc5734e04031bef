"""Both classes on the same connection, each with a table of its own: the same rows in both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.cache import caches
from django.core.management import call_command

from database_bench.databases import Database
from database_bench.store import Table
from kit.contestants import Contestant, Serverless, alias, configure

HOTCLUB, DJANGO = "hotclub DatabaseCache", "Django DatabaseCache"
#: Rows that a table has before it is measured, and MAX_ENTRIES, which is never reached.
ROWS, MOST = 1_500, 10_000
_BACKENDS = {
    HOTCLUB: "hotclub.django.DatabaseCache",
    DJANGO: "django.core.cache.backends.db.DatabaseCache",
}


class Router:
    """The tables of a database begin with its name."""

    def db_for_read(self, model: Any, **_hints: Any) -> str:
        return str(model._meta.db_table.split("__")[0])

    db_for_write = db_for_read


class Arena:
    """Opens contestants on the databases."""

    def __init__(self, databases: Sequence[Database]) -> None:
        #: The names that Django has for them.
        self._aliases = {one.name: f"number{n}" for n, one in enumerate(databases)}
        self._filled: set[str] = set()
        configure(
            {
                alias(name, database): {
                    "BACKEND": path,
                    "LOCATION": self._table(name, database),
                    "OPTIONS": {"MAX_ENTRIES": MOST},
                }
                for name, path in _BACKENDS.items()
                for database in self._aliases
            },
            DATABASES={"default": {}}
            | {self._aliases[one.name]: one.settings for one in databases},
            DATABASE_ROUTERS=[Router()],
        )

    def open(self, database: str) -> Iterable[Contestant]:
        for name in _BACKENDS:
            table, where = self._table(name, database), self._aliases[database]
            if table not in self._filled:
                self._filled.add(table)
                call_command("createcachetable", table, database=where)
                caches[alias(name, database)].set_many({f"row:{n}": n for n in range(ROWS)})
            yield Serverless(name, caches[alias(name, database)], Table(where, table))

    def _table(self, name: str, database: str) -> str:
        return f"{self._aliases[database]}__{list(_BACKENDS).index(name)}"
