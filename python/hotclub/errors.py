"""What a cache raises when it cannot do what it was asked.

All derive from ``CacheError``. Where a class of ours stands in for a client library, what it raises is *also*
an exception of that library, if the library is installed: ``except redis.exceptions.ConnectionError`` goes on
working beside ``except hotclub.errors.CacheConnectionError``. The library is imported at the first error.

A missing key in ``incr`` is Django's plain ``ValueError``, and what a pickled object raises while it is read
comes out as it is: neither is a ``CacheError``.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

__all__ = [
    "AmbiguousError",
    "AuthenticationError",
    "BusyLoadingError",
    "CacheConfigurationError",
    "CacheConnectionError",
    "CacheDecodeError",
    "CacheEncodeError",
    "CacheError",
    "CacheTimeoutError",
    "InvalidKeyError",
    "LoaderError",
    "LockError",
    "LockNotOwnedError",
    "NotAnIntegerError",
    "ProtocolError",
    "ResponseError",
    "TooLargeError",
    "UnsupportedError",
    "make",
]


class CacheError(Exception):
    """Anything that a cache of hotclub could not do."""

    # The class of ours and the foreign ones of an exception class that `_combined` made.
    _made_of: tuple[type[CacheError], tuple[str, ...]] | None = None

    def __init__(self, message: str = "", *more: Any) -> None:
        # By name: a foreign base may want other arguments, and OSError keeps `args` in a place of its own.
        base = OSError if isinstance(self, OSError) else Exception
        base.__init__(self, message, *more)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.args))})"

    @property
    def message(self) -> str:
        """The text; some client libraries have it under this name."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        ours, foreign = self._made_of or (type(self), ())
        return _again, (ours, foreign, self.args), vars(self) or None


class CacheConnectionError(CacheError, ConnectionError):
    """The server cannot be used now: try later, or go on without the cache."""


class CacheTimeoutError(CacheConnectionError, TimeoutError):
    """A limit of time passed before the answer came."""


class AmbiguousError(CacheTimeoutError):
    """The request was sent and its outcome is unknown. Never retried."""


class ProtocolError(CacheConnectionError):
    """The other side does not speak the protocol; the connection was dropped."""


class ResponseError(CacheError):
    """The server answered with an error, which is the end of the message."""


class AuthenticationError(ResponseError, CacheConnectionError):
    """The server wants another user or password."""


class BusyLoadingError(ResponseError, CacheConnectionError):
    """The server is still reading its data."""


class NotAnIntegerError(ResponseError):
    """``incr`` or ``decr`` met what is no integer, or the result does not fit.

    No ``ValueError``: that is what a missing key raises, and callers answer it with ``set``.
    """


class CacheConfigurationError(CacheError):
    """A setting is wrong. Also Django's ``ImproperlyConfigured``."""


class InvalidKeyError(CacheError, ValueError):
    """This backend cannot use the key. Also Django's ``InvalidCacheKey``."""


class CacheDecodeError(CacheError, pickle.UnpicklingError):
    """Stored bytes are not what this cache writes."""


class CacheEncodeError(CacheError, pickle.PicklingError):
    """The codec of this cache cannot write the value."""


class TooLargeError(CacheError):
    """The value is larger than the server takes."""


class UnsupportedError(CacheError, NotImplementedError):
    """This backend cannot do that."""


class LoaderError(CacheError):
    """The function that makes the value failed; its own exception is the cause."""


#: What IGNORE_EXCEPTIONS means: the server, or the way to it, is to blame.
SERVER_ERRORS = (CacheConnectionError, ResponseError)


class LockError(CacheError, ValueError):
    """A lock was not had, or was released by who does not hold it. A ``ValueError``, as redis-py's."""


class LockNotOwnedError(LockError):
    """The lock ran out, or somebody else has it now."""


#: What each kind of ``make`` is.
KINDS: dict[str, type[CacheError]] = {
    "unavailable": CacheConnectionError,
    "timeout": CacheTimeoutError,
    "ambiguous": AmbiguousError,
    "protocol": ProtocolError,
    "config": CacheConfigurationError,
    "corrupt": CacheDecodeError,
    "encode": CacheEncodeError,
    "not_an_integer": NotAnIntegerError,
    "refused": ResponseError,
    "invalid_key": InvalidKeyError,
    "too_large": TooLargeError,
    "unsupported": UnsupportedError,
    "loader": LoaderError,
    "lock": LockError,
    "lock_not_owned": LockNotOwnedError,
}

#: Foreign classes that go with a kind whatever the client.
_ALWAYS: dict[str, tuple[str, ...]] = {
    "config": ("django.core.exceptions.ImproperlyConfigured",),
    "invalid_key": ("django.core.cache.backends.base.InvalidCacheKey",),
}


@dataclass(frozen=True)
class Client:
    """The exceptions of a client library: by kind, and by the first word of what the server answered."""

    kinds: dict[str, tuple[str, ...]]
    #: Word -> (class of ours or ``None`` for the kind's, foreign classes).
    words: dict[str, tuple[type[CacheError] | None, tuple[str, ...]]]
    #: Classes that every exception of these kinds also is.
    besides: tuple[str, ...] = ()


def _redis(*names: str) -> tuple[str, ...]:
    return tuple(f"redis.exceptions.{name}" for name in names)


_REDIS_KINDS = {
    "unavailable": _redis("ConnectionError"),
    "timeout": _redis("TimeoutError"),
    "ambiguous": _redis("TimeoutError", "ConnectionError"),
    "protocol": _redis("InvalidResponse", "ConnectionError"),
    "not_an_integer": _redis("ResponseError"),
    "refused": _redis("ResponseError"),
    "too_large": _redis("DataError"),
    "lock": _redis("LockError"),
    "lock_not_owned": _redis("LockNotOwnedError"),
}
_REDIS_WORDS: dict[str, tuple[type[CacheError] | None, tuple[str, ...]]] = {
    "WRONGPASS": (AuthenticationError, _redis("AuthenticationError")),
    "NOAUTH": (AuthenticationError, _redis("AuthenticationError")),
    "LOADING": (BusyLoadingError, _redis("BusyLoadingError")),
    "READONLY": (None, _redis("ReadOnlyError")),
    "NOPERM": (None, _redis("NoPermissionError")),
    "OOM": (None, _redis("OutOfMemoryError")),
    "NOSCRIPT": (None, _redis("NoScriptError")),
    "EXECABORT": (None, _redis("ExecAbortError")),
    "TRYAGAIN": (None, _redis("TryAgainError")),
    "CROSSSLOT": (None, _redis("ClusterCrossSlotError")),
    "CLUSTERDOWN": (None, _redis("ClusterDownError")),
    "MASTERDOWN": (None, _redis("MasterDownError")),
}


def _pymemcache(*names: str) -> tuple[str, ...]:
    return tuple(f"pymemcache.exceptions.{name}" for name in names)


# pymemcache raises the system's own errors where a node is not there: ours are those already.
_PYMEMCACHE_KINDS = {
    "protocol": _pymemcache("MemcacheUnexpectedCloseError"),
    "not_an_integer": _pymemcache("MemcacheClientError"),
    "refused": _pymemcache("MemcacheServerError"),
    "invalid_key": _pymemcache("MemcacheIllegalInputError"),
    "too_large": _pymemcache("MemcacheServerError"),
}
_PYLIBMC_KINDS: dict[str, tuple[str, ...]] = {
    "unavailable": ("pylibmc.ConnectionError",),
    "timeout": ("pylibmc.ConnectionError",),
    "ambiguous": ("pylibmc.ConnectionError",),
    "protocol": ("pylibmc.ProtocolError",),
    "not_an_integer": ("pylibmc.ClientError",),
    "refused": ("pylibmc.ServerError",),
    "too_large": ("pylibmc.TooBig",),
}

#: The libraries that our classes stand in for. A new one is a new row.
CLIENTS: dict[str, Client] = {
    "": Client({}, {}),
    # What Django's class raises where a file holds no whole value.
    "file": Client({"corrupt": ("zlib.error",)}, {}),
    "pymemcache": Client(_PYMEMCACHE_KINDS, {}),
    "pylibmc": Client(_PYLIBMC_KINDS, {}),
    "redis": Client(_REDIS_KINDS, _REDIS_WORDS),
    "django-redis": Client(
        _REDIS_KINDS, _REDIS_WORDS, besides=("django_redis.exceptions.ConnectionInterrupted",)
    ),
}

#: What an attribute of a foreign class must be, where an empty one of it does not say.
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "django_redis.exceptions.ConnectionInterrupted": {"connection": None},
}
# The server's own words begin the message, or follow the place: `redis: get failed (...): OOM command ...`.
_WORD = re.compile(r"(?:^|: )([A-Z]{3,})\b")


def make(kind: str, message: str, client: str = "") -> Exception:
    """The exception for an error of ``kind``, also of ``client``'s library if that is installed.

    ``client`` is a key of ``CLIENTS``, ``""`` for none. The caller raises it.
    """
    if kind == "key_not_found":
        return ValueError(message)
    library = CLIENTS.get(client, CLIENTS[""])
    ours = KINDS.get(kind, CacheError)
    foreign = library.kinds.get(kind, ())
    if kind in ("refused", "unavailable"):
        for word in _WORD.findall(message):
            if word in library.words:
                special, foreign = library.words[word]
                ours = special or ours
                break
    if foreign:
        foreign += library.besides
    return _combined(ours, foreign + _ALWAYS.get(kind, ()))(message)


@cache
def _found(path: str) -> type[BaseException] | None:
    """An exception class by its dotted path; ``None`` if it is not installed, or not in that release."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except Exception:  # a broken library must not hide the error that is being raised
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


_combinations: dict[tuple[type[CacheError], tuple[str, ...]], type[CacheError]] = {}


def _combined(ours: type[CacheError], foreign: tuple[str, ...]) -> type[CacheError]:
    """A class that is ours first, and those of ``foreign`` that can be had. Made once."""
    if (made := _combinations.get((ours, foreign))) is None:
        made = _combinations.setdefault((ours, foreign), _combine(ours, foreign))
    return made


def _combine(ours: type[CacheError], foreign: tuple[str, ...]) -> type[CacheError]:
    bases: list[type[BaseException]] = []
    namespace: dict[str, Any] = {"__doc__": ours.__doc__, "__module__": ours.__module__}
    for path in foreign:
        base = _found(path)
        if base is None or any(issubclass(have, base) for have in (ours, *bases)):
            continue
        bases = [have for have in bases if not issubclass(base, have)] + [base]
        namespace |= _ATTRIBUTES.get(path) or _attributes(base)
    if not bases:
        return ours
    namespace |= {"__qualname__": ours.__qualname__, "_made_of": (ours, foreign)}
    try:
        return type(ours.__name__, (ours, *bases), namespace)
    except TypeError:  # the shapes do not fit: ours alone is better than no error at all
        return ours


def _attributes(base: type[BaseException]) -> dict[str, Any]:
    """What an exception of a foreign class has beside its message; its own ``__init__`` is not called."""
    try:
        return {name: value for name, value in vars(base("")).items() if name != "message"}
    except Exception:
        return {}


def _again(ours: type[CacheError], foreign: tuple[str, ...], arguments: Any) -> CacheError:
    """Unpickle: in a process without the library, ours alone."""
    return _combined(ours, foreign)(*arguments)
