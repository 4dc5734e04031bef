"""The databases of the topics, where caches are tables: a table's name says in which one it is.

A module that a site's settings name, so that programs in processes of their own find the same ones.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections

ROUTERS = ["databases.ByTable"]


class ByTable:
    """A router as sites write them: ``cache_7_in_sqlite``."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        """Where such a table is; nobody's matter unless a cache is in it."""
        _, told, alias = model._meta.db_table.rpartition("_in_")
        return str(alias) if told and model._meta.app_label == "django_cache" else None

    db_for_write = db_for_read


def in_folder(folder: str) -> dict[str, Any]:
    """DATABASES: the site's own in memory, and one in a file that caches may be in."""
    engine = "django.db.backends.sqlite3"
    # Nothing here outlives the machine, and who waits for another may wait for long.
    quick = {"init_command": "PRAGMA synchronous=OFF", "timeout": 60}
    file = str(Path(folder) / "caches.sqlite3")
    return {
        "default": {"ENGINE": engine, "NAME": ":memory:"},
        "sqlite": {"ENGINE": engine, "NAME": file, "OPTIONS": quick},
    }


def add(alias: str, database: dict[str, Any]) -> None:
    """One more, which tests and programs know from now on."""
    settings.DATABASES[alias] = database
    connections.settings[alias] = connections.configure_settings(dict(settings.DATABASES))[alias]


def site(caches: dict[str, Any]) -> dict[str, Any]:
    """The settings of a program with such caches."""
    return {"CACHES": caches, "DATABASES": settings.DATABASES, "DATABASE_ROUTERS": ROUTERS}


def close() -> None:
    """Close the connections of this thread, and of the one that has those of async verbs."""
    connections.close_all()
    asyncio.run(sync_to_async(connections.close_all)())
