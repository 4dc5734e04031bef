"""What spawned processes run: a module of its own, since they import it by name."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings


def work(site: dict[str, Any]) -> Any:
    """What a new process sees of its parent's entries; then it stores one."""
    if not settings.configured:
        settings.configure(**site)
        django.setup()
    from django.core.cache import cache

    seen = cache.get("parent")
    cache.set("child", 1)
    assert cache.get("child") == 1
    return seen
