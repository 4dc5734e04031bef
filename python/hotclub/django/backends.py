"""The classes that ``BACKEND`` names: one short class a backend, Django's base behind it."""

from __future__ import annotations

import pickle
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured

from hotclub.django.options import memory_options
from hotclub.django.verbs import Verbs


class LocMemCache(Verbs, BaseCache):
    """Process memory, in place of ``django.core.cache.backends.locmem.LocMemCache``.

    ``LOCATION`` names a store that all caches of this process share. OPTIONS: ``MAX_ENTRIES`` (300) and
    ``CULL_FREQUENCY`` (3) as Django has them; ``MAX_BYTES`` (a number or ``"64MiB"``) bounds the memory
    instead and makes ``s3-fifo`` the policy; ``POLICY``: ``"lru"`` or ``"s3-fifo"``.
    """

    #: For values that are not of a common type.
    pickle_protocol = pickle.HIGHEST_PROTOCOL

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = memory_options(params)
        if options.max_bytes is not None and not options.max_entries_given:
            self._max_entries = None
        # Under lru the limit is this object's own, as in Django; under s3-fifo it is the store's.
        most = None if self._max_entries is None else min(max(self._max_entries, 1), 2**63 - 1)
        try:
            self._open_memory(str(name), options.policy, most, options.max_bytes)
        except ValueError as error:
            raise ImproperlyConfigured(f"hotclub: LocMemCache at {name!r}: {error}") from error


class DummyCache(Verbs, BaseCache):
    """Keeps nothing, in place of ``django.core.cache.backends.dummy.DummyCache``."""

    def __init__(self, host: str, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._open_dummy()

    # Its error names the key as the caller typed it, as Django's class has it; ours names the full key.
    incr = BaseCache.incr
