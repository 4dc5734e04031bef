"""Where the table of a cache is, for a site that keeps it out of its own database."""

from __future__ import annotations

from typing import Any

CACHE = "cache"


class CacheRouter:
    """A table of ``DatabaseCache`` is in the database ``cache``, everything else in ``default``."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """``cache``, or nothing of ours."""
        return CACHE if model._meta.app_label == "django_cache" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """``migrate`` and ``createcachetable`` make tables only where they belong."""
        return (db == CACHE) == (app_label == "django_cache")
