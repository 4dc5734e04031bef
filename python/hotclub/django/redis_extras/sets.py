"""Sets: entries of different members."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hotclub.django.codecs import DjangoRedis
from hotclub.django.compressors import IdentityCompressor
from hotclub.django.redis_extras.base import Extra
from hotclub.django.redis_extras.steps import (
    Argument,
    Ask,
    Found,
    Lines,
    Steps,
    alines,
    ask,
    ask_to_read,
    lines,
    twin,
    verb,
)


class Sets(Extra):
    """The set methods of django-redis. Members are written as ``set`` writes values.

    Members that come back in a Python ``set`` must be hashable. In a cluster all keys of one call must be of
    one slot.
    """

    @verb
    def sadd(self, key: Any, *values: Any, version: Any = None) -> Steps[int]:
        """Add members; how many are new."""
        return int((yield ask("SADD", self._key(key, version), *self._dumps_all(values))))

    @verb
    def scard(self, key: Any, version: Any = None) -> Steps[int]:
        """The number of members; 0 for a missing key."""
        return int((yield ask_to_read("SCARD", self._key(key, version))))

    @verb
    def sdiff(self, *keys: Any, version: Any = None) -> Steps[set[Any]]:
        """The members of the first set that are in none of the others."""
        return set(self._loads_all((yield ask_to_read("SDIFF", *self._keys(keys, version)))))

    @verb
    def sdiffstore(
        self, dest: Any, *keys: Any, version_dest: Any = None, version_keys: Any = None
    ) -> Steps[int]:
        """Store ``sdiff`` under ``dest``; how many members it has."""
        full = self._keys(keys, version_keys)
        return int((yield ask("SDIFFSTORE", self._key(dest, version_dest), *full)))

    @verb
    def sinter(self, *keys: Any, version: Any = None) -> Steps[set[Any]]:
        """The members that are in all the sets."""
        return set(self._loads_all((yield ask_to_read("SINTER", *self._keys(keys, version)))))

    @verb
    def sinterstore(self, dest: Any, *keys: Any, version: Any = None) -> Steps[int]:
        """Store ``sinter`` under ``dest``; how many members it has."""
        return int((yield ask("SINTERSTORE", *self._keys((dest, *keys), version))))

    @verb
    def sunion(self, *keys: Any, version: Any = None) -> Steps[set[Any]]:
        """The members of all the sets."""
        return set(self._loads_all((yield ask_to_read("SUNION", *self._keys(keys, version)))))

    @verb
    def sunionstore(self, destination: Any, *keys: Any, version: Any = None) -> Steps[int]:
        """Store ``sunion`` under ``destination``; how many members it has."""
        return int((yield ask("SUNIONSTORE", *self._keys((destination, *keys), version))))

    @verb
    def sismember(self, key: Any, member: Any, version: Any = None) -> Steps[bool]:
        """Whether it is a member."""
        full = self._key(key, version)
        return bool((yield ask_to_read("SISMEMBER", full, self._dumps(member))))

    @verb
    def smismember(self, key: Any, *members: Any, version: Any = None) -> Steps[list[bool]]:
        """Whether each is a member."""
        full = self._key(key, version)
        replies = yield ask_to_read("SMISMEMBER", full, *self._dumps_all(members))
        return [bool(reply) for reply in replies]

    @verb
    def smembers(self, key: Any, version: Any = None) -> Steps[set[Any]]:
        """All members."""
        return set(self._loads_all((yield ask_to_read("SMEMBERS", self._key(key, version)))))

    @verb
    def smove(self, source: Any, destination: Any, member: Any, version: Any = None) -> Steps[bool]:
        """Move a member; False if it was not there. ``version`` is that of the source alone."""
        full = self._key(source, version), self._key(destination)
        return bool((yield ask("SMOVE", *full, self._dumps(member))))

    @verb
    def spop(self, key: Any, count: int | None = None, version: Any = None) -> Steps[Any]:
        """Take out a random member, or a set of ``count``. ``None``: there is none."""
        reply = yield ask("SPOP", self._key(key, version), *_count(count))
        return set(self._loads_all(reply)) if isinstance(reply, list) else self._member(reply)

    @verb
    def srandmember(self, key: Any, count: int | None = None, version: Any = None) -> Steps[Any]:
        """A random member, or a list of ``count``; a negative count may repeat. ``None``: there is none."""
        reply = yield ask_to_read("SRANDMEMBER", self._key(key, version), *_count(count))
        return self._loads_all(reply) if isinstance(reply, list) else self._member(reply)

    @verb
    def srem(self, key: Any, *members: Any, version: Any = None) -> Steps[int]:
        """Remove members; how many were there."""
        return int((yield ask("SREM", self._key(key, version), *self._dumps_all(members))))

    @verb
    def sscan(
        self, key: Any, match: str | None = None, count: int | None = 10, version: Any = None
    ) -> Steps[set[Any]]:
        """Some of the members: the server's first step. See ``sscan_iter``."""
        full = self._key(key, version)
        _, page = yield from _sscan(full, self._match(match), count, 0)
        return set(self._loads_all(page))

    @lines
    def sscan_iter(
        self, key: Any, match: str | None = None, count: int | None = 10, version: Any = None
    ) -> Lines:
        """All members, as they are found; one may come twice.

        ``match`` is compared with a member's bytes, by a pattern that is encoded as members are: of text in
        pickles it finds what is as long as the pattern. ValueError where entries are compressed.
        """
        full, pattern = self._key(key, version), self._match(match)
        cursor: int | None = 0
        while cursor is not None:
            cursor, page = yield from _sscan(full, pattern, count, cursor)
            yield Found(self._loads_all(page))

    asadd = twin(sadd)
    ascard = twin(scard)
    asdiff = twin(sdiff)
    asdiffstore = twin(sdiffstore)
    asinter = twin(sinter)
    asinterstore = twin(sinterstore)
    asunion = twin(sunion)
    asunionstore = twin(sunionstore)
    asismember = twin(sismember)
    asmismember = twin(smismember)
    asmembers = twin(smembers)
    asmove = twin(smove)
    aspop = twin(spop)
    asrandmember = twin(srandmember)
    asrem = twin(srem)
    asscan = twin(sscan)
    asscan_iter = alines(sscan_iter)

    def _member(self, reply: bytes | None) -> Any:
        return None if reply is None else self._loads(reply)

    def _match(self, match: str | None) -> bytes | None:
        if match and self._compresses:
            raise ValueError("Using match with compression is not supported.")
        return self._dumps(match) if match else None

    @property
    def _compresses(self) -> bool:
        codec = self._codec_of_members
        return isinstance(codec, DjangoRedis) and type(codec.compressor) is not IdentityCompressor


def _count(count: int | None) -> tuple[int, ...]:
    return () if count is None else (count,)


def _sscan(
    key: str, match: bytes | None, count: int | None, cursor: int
) -> Generator[Ask, Any, tuple[int | None, list[bytes]]]:
    """One step of the primary, whose cursor it is; None: that was all."""
    arguments: tuple[Argument, ...] = ("SSCAN", key, cursor)
    if match is not None:
        arguments += ("MATCH", match)
    if count is not None:
        arguments += ("COUNT", count)
    reply = yield Ask(arguments)
    following, page = reply
    return int(following) or None, list(page)
