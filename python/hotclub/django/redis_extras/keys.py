"""Finding and deleting keys by a pattern."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterable
from typing import Any

from hotclub.django.redis_extras.base import Extra
from hotclub.django.redis_extras.steps import (
    Argument,
    Ask,
    CountNodes,
    Found,
    Lines,
    Steps,
    alines,
    lines,
    twin,
    verb,
)

#: So many keys are deleted by one command.
BATCH = 500
SLOTS = 16384


class Keys(Extra):
    """``keys``, ``iter_keys`` and ``delete_pattern``, of django-redis.

    In a pattern ``*``, ``?`` and ``[ab]`` stand for other characters, as in Redis. In a cluster all primaries
    are asked.
    """

    @verb
    def keys(self, search: str, version: Any = None) -> Steps[list[str]]:
        """The keys that match, as the caller would type them.

        The server goes through all that it has and does nothing else meanwhile: rather use ``iter_keys``.
        """
        pattern = self._pattern(search, version)
        found: list[str] = []
        for node in (yield from _nodes()):
            replies = yield Ask(("KEYS", pattern), write=False, key_at=-1, node=node)
            found += [self._typed(reply, version) for reply in replies]
        return found

    @lines
    def iter_keys(self, search: str, itersize: int | None = None, version: Any = None) -> Lines:
        """The keys that match, as they are found. The server is not held up; a key may come twice."""
        pattern = self._pattern(search, version)
        for node in (yield from _nodes()):
            cursor: int | None = 0
            while cursor is not None:
                cursor, page = yield from _scan(pattern, itersize, node, cursor)
                yield Found([self._typed(key, version) for key in page])

    @verb
    def delete_pattern(
        self,
        pattern: str,
        version: Any = None,
        prefix: str | None = None,
        itersize: int | None = None,
    ) -> Steps[int]:
        """Delete the keys that match; how many they were. What is written meanwhile may stay.

        ``itersize``: how many keys the server looks at in one step (the option SCAN_ITERSIZE, 1000).
        """
        full = self._pattern(pattern, version, prefix)
        return (yield from self._sweep(full, itersize or self._options.scan_itersize))

    akeys = twin(keys)
    aiter_keys = alines(iter_keys)
    adelete_pattern = twin(delete_pattern)

    def _sweep(self, pattern: str, count: int) -> Steps[int]:
        """Delete what matches, on all primaries; how many keys."""
        deleted = 0
        for node in (yield from _nodes()):
            waiting: list[bytes] = []
            cursor: int | None = 0
            while cursor is not None:
                cursor, page = yield from _scan(pattern, count, node, cursor)
                waiting += page
                if len(waiting) >= BATCH or cursor is None:
                    deleted += yield from self._unlink(waiting)
                    waiting = []
        return deleted

    def _unlink(self, keys: list[bytes]) -> Steps[int]:
        """In a cluster, a command for the keys of each slot."""
        slots: dict[int, list[bytes]] = {0: keys} if keys else {}
        if (yield CountNodes()) > 1:
            slots = {}
            for key in keys:
                slots.setdefault(slot(key), []).append(key)
        deleted = 0
        for some in slots.values():
            deleted += yield Ask(("UNLINK", *some))
        return deleted


def _nodes() -> Steps[Iterable[int | None]]:
    """The primaries of a cluster; else the one server there is."""
    count = yield CountNodes()
    return range(count) if count > 1 else (None,)


def _scan(
    pattern: str, count: int | None, node: int | None, cursor: int
) -> Steps[tuple[int | None, list[bytes]]]:
    """One step. The cursor is a server's own, so that the primary is asked each time; None: that was all."""
    arguments: tuple[Argument, ...] = ("SCAN", cursor, "MATCH", pattern)
    if count is not None:
        arguments += ("COUNT", count)
    reply = yield Ask(arguments, key_at=-1, node=node)
    following, page = reply
    return int(following) or None, list(page)


def slot(key: bytes) -> int:
    """The slot of a key: of what stands between the first braces, if there is something."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    tag = key[start + 1 : end] if start >= 0 and end > start + 1 else key
    return crc_hqx(tag, 0) % SLOTS
