"""What all our cache classes share, wherever their entries are."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from hotclub import tracing

#: For each sync verb, the async ones whose answer depends on it.
ASYNC_OF: dict[str, tuple[str, ...]] = {
    "get": ("aget", "aget_many", "aincr_version", "adecr_version"),
    "set": ("aset", "aset_many", "aincr_version", "adecr_version"),
    "add": ("aadd",),
    "touch": ("atouch",),
    "delete": ("adelete", "adelete_many", "aincr_version", "adecr_version"),
    "get_many": ("aget_many",),
    "set_many": ("aset_many",),
    "delete_many": ("adelete_many",),
    "get_or_set": ("aget_or_set",),
    "has_key": ("ahas_key",),
    "incr": ("aincr", "adecr"),
    "decr": ("adecr",),
    "incr_version": ("aincr_version", "adecr_version"),
    "decr_version": ("adecr_version",),
    "clear": ("aclear",),
    "close": ("aclose",),
}


#: Verbs whose async twin in Django's base class is the verb in a thread, in every release.
THREADED = {"get", "set", "add", "touch", "delete", "clear", "close"}

#: For each async verb, those that Django's base class makes of it.
ASYNC_BELOW: dict[str, tuple[str, ...]] = {
    "aget": ("aget_many", "aincr_version"),
    "aset": ("aset_many", "aincr_version"),
    "adelete": ("adelete_many", "aincr_version"),
    "aincr": ("adecr",),
    "aincr_version": ("adecr_version",),
}


def in_a_thread(verb: str) -> Any:
    """Make the async twin of a verb that may block."""

    @wraps(getattr(BaseCache, "a" + verb))
    async def twin(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return await sync_to_async(getattr(self, verb))(*arguments, **keywords)

    return twin


#: What Django's base class sets on every object. Classes put these into slots: the object's own dict stays
#: unmade, and CPython finds methods without looking into it: a quarter of a memory ``get`` (measured).
SLOTS = (
    "_cull_frequency",
    "_max_entries",
    "default_timeout",
    "key_func",
    "key_prefix",
    "version",
)


class Shared:
    """The verbs that are made of other verbs, and Django's promise to subclasses.

    A *house class* (``house=True``) is one of ours: its async verbs do what its sync ones do.
    """

    __slots__ = ()
    #: The house class among the bases.
    _house: ClassVar[type]
    #: The class that it takes the place of, and for each verb those that are made of it there: from there a
    #: subclass gets them that overrides the verb.
    _replaces: ClassVar[type] = BaseCache
    _made_of: ClassVar[dict[str, tuple[str, ...]]] = {}
    _missing_key: Any
    default_timeout: Any

    def __init_subclass__(cls, house: bool = False, **keywords: Any) -> None:
        """Keep Django's promise to subclasses: an overridden sync verb also changes what is made of it.

        That is its async twin, and what the replaced class has in terms of the verb.

        Such a verb may block, so its twin runs it in a thread; what depends on it goes back to Django's own.
        """
        super().__init_subclass__(**keywords)
        if house:
            cls._house = cls
            return
        ours: Any = cls._house
        for verb, others in ours._made_of.items():
            if getattr(cls, verb) is getattr(ours, verb):
                continue
            for other in others:
                if getattr(cls, other) is getattr(ours, other):
                    setattr(cls, other, getattr(ours._replaces, other))
        for verb, twins in ASYNC_OF.items():
            own = getattr(ours, verb, None) or getattr(BaseCache, verb)
            if getattr(cls, verb, own) is own:
                continue
            for twin in twins:
                if getattr(cls, twin, None) is not getattr(ours, twin):
                    continue
                missing = twin == "a" + verb and verb not in THREADED
                setattr(cls, twin, in_a_thread(verb) if missing else getattr(BaseCache, twin))
        for verb, others in ASYNC_BELOW.items():
            if getattr(cls, verb, None) in (getattr(ours, verb), getattr(BaseCache, verb), None):
                continue
            for other in others:
                if getattr(cls, other) is getattr(ours, other):
                    setattr(cls, other, getattr(BaseCache, other))

    def __copy__(self) -> Any:
        """Another object with the same attributes before the same store."""
        copy: Any = type(self).__new__(type(self))
        copy._share(self)
        for name in SLOTS:
            setattr(copy, name, getattr(self, name))
        for name, value in vars(self).items():
            setattr(copy, name, value)
        return copy

    def get_or_set(
        self: Any, key: Any, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        """Read a value, or store and return ``default`` (called, if it can be)."""
        value = self.get(key, self._missing_key, version=version)
        if value is not self._missing_key:
            return value
        if callable(default):
            with tracing.generating():
                default = default()
        self.add(key, default, timeout=timeout, version=version)
        # Read again: somebody else may have stored a value meanwhile, and the first one stays.
        return self.get(key, default, version=version)

    def close(self, **keywords: Any) -> None:
        """Keep everything: Django calls this at the end of each request."""

    async def aclose(self: Any, **keywords: Any) -> None:
        """See ``close``."""
        self.close(**keywords)

    async def aget_or_set(
        self: Any, key: Any, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        """See ``get_or_set``. What ``default`` returns is awaited, if it can be."""
        value = await self.aget(key, self._missing_key, version=version)
        if value is not self._missing_key:
            return value
        if callable(default):
            with tracing.generating():
                default = default()
                if inspect.isawaitable(default):
                    default = await default
        await self.aadd(key, default, timeout=timeout, version=version)
        return await self.aget(key, default, version=version)
