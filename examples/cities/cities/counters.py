"""What the cache counts, with what only its server knows."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache

#: Our words for Redis' own, from its INFO command.
OF_REDIS = {"expired": "expired_keys", "evicted": "evicted_keys", "bytes": "used_memory"}


def counters() -> dict[str, Any]:
    """At least ``hits``, ``misses`` and ``hit_ratio``, of this process."""
    stats: dict[str, Any] = cache.stats()
    if hasattr(cache, "execute"):
        stats = of_redis() | stats
    lookups = stats["hits"] + stats["misses"]
    return {"hit_ratio": stats["hits"] / lookups if lookups else 0.0} | stats


def of_redis() -> dict[str, int]:
    """Asked for with plain commands, which go to the server as they are."""
    text = cache.execute("INFO", write=False, key_at=-1).decode()
    told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    numbers = {ours: int(told[theirs]) for ours, theirs in OF_REDIS.items()}
    return numbers | {"entries": cache.execute("DBSIZE", write=False, key_at=-1)}
