"""The settings module of the test process.

CACHES names **Django's** class on purpose: `cache.tests` looks the Redis and memcached entries up by that
name when it is imported. Our class is put in its place afterwards, see `substitute.py`. Databases are files,
so that a second connection sees what the first one wrote.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from upstream.kinds import LOCMEM
from upstream.plan import load_plan
from upstream.table import KINDS

_plan = load_plan()


def _database(alias: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(_plan.scratch) / f"{alias}.sqlite3"),
        "TEST": {"NAME": str(Path(_plan.scratch) / f"test_{alias}.sqlite3")},
    }


DATABASES = {"default": _database("default"), "other": _database("other")}
_kind = KINDS[_plan.kind]
# Where a file is to be, Django's own class would make a directory, before ours takes its place.
_is_file = _kind.store == "database file"
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": LOCMEM if _is_file else _kind.replaced}}
if _plan.locations and not _is_file:
    CACHES["default"]["LOCATION"] = _plan.locations[0]
SECRET_KEY = "for Django's tests only"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "upstream.testrunner.Runner"
