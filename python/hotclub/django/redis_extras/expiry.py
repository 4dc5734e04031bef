"""How long an entry still lives, and changing it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hotclub.django.redis_extras.base import Extra
from hotclub.django.redis_extras.steps import Steps, ask, ask_to_read, twin, verb


class Expiry(Extra):
    """``ttl`` and its kin, of django-redis."""

    @verb
    def ttl(self, key: Any, version: Any = None) -> Steps[int | None]:
        """Whole seconds left. ``None``: it never expires; 0: it is not there."""
        return _left((yield ask_to_read("TTL", self._key(key, version))))

    @verb
    def pttl(self, key: Any, version: Any = None) -> Steps[int | None]:
        """As ``ttl``, in milliseconds."""
        return _left((yield ask_to_read("PTTL", self._key(key, version))))

    @verb
    def persist(self, key: Any, version: Any = None) -> Steps[bool]:
        """Never let it expire. False if it is missing or never does."""
        return bool((yield ask("PERSIST", self._key(key, version))))

    @verb
    def expire(self, key: Any, timeout: Any, version: Any = None) -> Steps[bool]:
        """Let it expire in so many seconds, or a ``timedelta``. False if it is missing.

        Fractions are cut; 0 and less delete it; ``None`` is ``persist``.
        """
        seconds = self._timeout(timeout)
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        return bool((yield self._expiry("EXPIRE", key, version, seconds)))

    @verb
    def pexpire(self, key: Any, timeout: Any, version: Any = None) -> Steps[bool]:
        """As ``expire``, in milliseconds. The default timeout is still in seconds."""
        milliseconds = self._timeout(timeout)
        if milliseconds is not timeout and milliseconds is not None:
            milliseconds *= 1000
        if isinstance(milliseconds, timedelta):
            milliseconds = milliseconds.total_seconds() * 1000
        return bool((yield self._expiry("PEXPIRE", key, version, milliseconds)))

    @verb
    def expire_at(self, key: Any, when: Any, version: Any = None) -> Steps[bool]:
        """Let it expire at a ``datetime`` or a Unix time in seconds. False if it is missing."""
        if isinstance(when, datetime):
            when = when.timestamp()
        return bool((yield ask("EXPIREAT", self._key(key, version), int(when))))

    @verb
    def pexpire_at(self, key: Any, when: Any, version: Any = None) -> Steps[bool]:
        """As ``expire_at``; a Unix time is in milliseconds."""
        if isinstance(when, datetime):
            when = when.timestamp() * 1000
        return bool((yield ask("PEXPIREAT", self._key(key, version), int(when))))

    attl = twin(ttl)
    apttl = twin(pttl)
    apersist = twin(persist)
    aexpire = twin(expire)
    apexpire = twin(pexpire)
    aexpire_at = twin(expire_at)
    apexpire_at = twin(pexpire_at)

    def _expiry(self, command: str, key: Any, version: Any, amount: Any) -> Any:
        full = self._key(key, version)
        return ask("PERSIST", full) if amount is None else ask(command, full, int(amount))


def _left(reply: int) -> int | None:
    """-1 is Redis' word for never, -2 for missing."""
    return None if reply == -1 else max(reply, 0)
