"""Settings for the tests of django-ratelimit, which ship without any.

Our cache, one over it that forgets at once, and two that fail: how a cache fails that cannot reach its server
differs from client to client, and django-ratelimit knows two ways.
"""

from __future__ import annotations

# mypy: disable-error-code="import-untyped,import-not-found,misc"
import socket
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.utils.module_loading import import_string

from upstream.plan import load_plan

PLAN = load_plan()
TARGET: Any = import_string(PLAN.backend)

SECRET_KEY = "for tests only"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["django_ratelimit"]
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.E003", "django_ratelimit.W001"]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "instant-expiration": {
        "BACKEND": "upstream.settings_ratelimit.Forgetting",
        "LOCATION": PLAN.locations[1],
    },
    "connection-errors": {"BACKEND": "upstream.settings_ratelimit.SilentlyFailing"},
    "connection-errors-redis": {"BACKEND": "upstream.settings_ratelimit.LoudlyFailing"},
}


class Forgetting(TARGET):
    """What is added is gone."""

    def add(self, key: str, value: Any, timeout: Any = None, version: Any = None) -> bool:
        return bool(super().add(key, value, 0, version))


class SilentlyFailing(BaseCache):
    """As memcached's clients do it: nothing is added, every counter is missing."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, *_: Any, **__: Any) -> bool:
        return False

    def get(self, _key: str, default: Any = None, **__: Any) -> Any:
        return default

    def incr(self, *_: Any, **__: Any) -> int:
        raise ValueError("no such key")


class LoudlyFailing(SilentlyFailing):
    """As a client of Redis does it whose server's name is unknown."""

    def add(self, *_: Any, **__: Any) -> bool:
        raise socket.gaierror
