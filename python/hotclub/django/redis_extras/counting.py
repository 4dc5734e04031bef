"""Counting what the server cannot count."""

from __future__ import annotations

from typing import Any

from hotclub.django.redis_extras.base import Extra
from hotclub.django.redis_extras.steps import Steps, ask, twin, verb


class Counting(Extra):
    """The half of django-redis' ``incr`` that reads, adds and writes back."""

    @verb
    def _incr_by_hand(self, key: Any, delta: Any, version: Any = None) -> Steps[Any]:
        """Add to any value that can be added to, not atomically; it keeps its deadline.

        The primary is asked for both: a replica might be late, and two of them might not agree.
        """
        full = self._key(key, version)
        left = yield ask("PTTL", full)
        stored = yield ask("GET", full)
        if stored is None:
            raise ValueError(f"Key '{full}' not found")
        value = self._loads(stored) + delta
        # -1 is Redis' word for never. What ends within this millisecond lives that long.
        deadline = () if left == -1 else ("PX", max(left, 1))
        yield ask("SET", full, self._dumps(value), *deadline)
        return value

    _aincr_by_hand = twin(_incr_by_hand)
