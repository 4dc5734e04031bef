"""What all the extra verbs stand on: keys, values, and the cache's own verbs that they use."""

from __future__ import annotations

import pickle
import re
from collections.abc import Awaitable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT

from hotclub.django.codecs import Codec, Custom, DjangoRedis, Several, make_codec
from hotclub.django.redis_extras.steps import Argument
from hotclub.django.redis_options import RedisOptions

# A backslash has a meaning of its own in patterns too.
_SPECIAL = re.compile(r"[*?\[]")


class CacheKey(str):
    """A full key: the verbs take it as it is."""

    __slots__ = ()

    def original_key(self) -> str:
        """What the caller typed, for keys of Django's usual form."""
        return self.rsplit(":", 1)[1]


class Extra:
    """Base of the extra verbs. Beside it stand the verbs in Rust and Django's base class."""

    if TYPE_CHECKING:
        _options: RedisOptions
        key_prefix: str
        key_func: Any
        version: Any
        default_timeout: Any

        def _execute(
            self,
            arguments: Sequence[Argument],
            *,
            write: bool = True,
            key_at: int = 1,
            node: int | None = None,
        ) -> Any: ...
        def _aexecute(
            self,
            arguments: Sequence[Argument],
            *,
            write: bool = True,
            key_at: int = 1,
            node: int | None = None,
        ) -> Awaitable[Any]: ...
        def _node_count(self) -> int: ...
        def _anode_count(self) -> Awaitable[int]: ...
        def _dumps(self, value: Any) -> bytes: ...
        def _loads(self, data: bytes) -> Any: ...
        def make_key(self, key: Any, version: Any = None) -> str: ...
        def make_and_validate_key(self, key: Any, version: Any = None) -> str: ...

    def _is_ignored(self, error: Exception) -> bool:
        return self._options.ignore_exceptions

    def _key(self, key: Any, version: Any = None) -> str:
        """The full key. Django warns of some, django-redis and django-vcache check none."""
        if type(key) is not str and hasattr(key, "original_key"):
            return str(key)
        if self._options.dialect == "django":
            return self.make_and_validate_key(key, version)
        return self.make_key(key, version)

    def _keys(self, keys: Iterable[Any], version: Any = None) -> list[str]:
        return [self._key(key, version) for key in keys]

    def _pattern(self, pattern: Any, version: Any = None, prefix: str | None = None) -> str:
        """A pattern of full keys: only what the caller typed may stand for more than itself."""
        if type(pattern) is not str and hasattr(pattern, "original_key"):
            return str(pattern)
        prefix = self.key_prefix if prefix is None else prefix
        version = self.version if version is None else version
        made: str = self.key_func(pattern, literal(prefix), literal(str(version)))
        return made

    def _typed(self, full: bytes, version: Any = None) -> str:
        """What the caller typed to get a full key."""
        key = full.decode()
        if self._options.reverse_key is not None:
            return self._options.reverse_key(key)
        start = f"{self.key_prefix}:{self.version if version is None else version}:"
        return key.removeprefix(start) if key.startswith(start) else key.split(":", 2)[-1]

    def _timeout(self, timeout: Any) -> Any:
        return self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout

    def _dumps_all(self, values: Iterable[Any]) -> list[bytes]:
        return [self._dumps(value) for value in values]

    def _loads_all(self, replies: Iterable[bytes]) -> list[Any]:
        return [self._loads(reply) for reply in replies]

    def _dumps_member(self, value: Any) -> bytes:
        """A member of a sorted set: there integers go through the serializer too."""
        if not isinstance(value, int) or isinstance(value, bool):
            return self._dumps(value)
        codec = self._codec_of_members
        if isinstance(codec, DjangoRedis):
            return codec.compressed(value)
        return (
            pickle.dumps(value, self._options.pickle_protocol)
            if codec is None
            else codec.dumps(value)
        )

    @cached_property
    def _codec_of_members(self) -> Codec | None:
        """The codec that writes. None: pickle."""
        codec = make_codec(self._options)
        writer = codec.writer if isinstance(codec, Several) else codec
        return writer if isinstance(writer, (DjangoRedis, Custom)) else None


def literal(text: str) -> str:
    """A pattern that only this text matches."""
    return _SPECIAL.sub(r"[\g<0>]", text.replace("\\", "\\\\"))


def text(value: Any) -> str:
    """A name as text, whichever way it came."""
    return value.decode() if isinstance(value, bytes) else str(value)
