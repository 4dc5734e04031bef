"""Sorted sets: entries of different members, each with a score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from hotclub.django.redis_extras.base import Extra
from hotclub.django.redis_extras.steps import Argument, Steps, ask, ask_to_read, twin, verb

Score: TypeAlias = float | str
Cast: TypeAlias = Callable[[float], Any]


class SortedSets(Extra):
    """The sorted set methods of django-redis. Members are written as ``set`` writes values, integers too.

    Bounds of scores are numbers, ``"-inf"``, ``"+inf"``, or ``"(1.5"`` for more or less than.
    """

    @verb
    def zadd(
        self,
        key: Any,
        mapping: Mapping[Any, float],
        nx: bool = False,
        xx: bool = False,
        ch: bool = False,
        incr: bool = False,
        gt: bool = False,
        lt: bool = False,
        version: Any = None,
    ) -> Steps[Any]:
        """Set scores; how many members are new, with ``ch`` how many changed.

        ``nx``: only new members; ``xx``: only those there are; ``gt``, ``lt``: only to a greater, a smaller
        score. With ``incr`` add to the score of the one member; its new score, or None if it was not done.
        """
        flags = {"NX": nx, "XX": xx, "GT": gt, "LT": lt, "CH": ch, "INCR": incr}
        arguments: list[Argument] = [flag for flag, wanted in flags.items() if wanted]
        for member, score in mapping.items():
            arguments += (score, self._dumps_member(member))
        reply = yield ask("ZADD", self._key(key, version), *arguments)
        return _score(reply) if incr else int(reply)

    @verb
    def zcard(self, key: Any, version: Any = None) -> Steps[int]:
        """The number of members; 0 for a missing key."""
        return int((yield ask_to_read("ZCARD", self._key(key, version))))

    @verb
    def zcount(self, key: Any, min: Score, max: Score, version: Any = None) -> Steps[int]:
        """The number of members with a score from ``min`` to ``max``."""
        return int((yield ask_to_read("ZCOUNT", self._key(key, version), min, max)))

    @verb
    def zincrby(
        self, key: Any, amount: float, value: Any, version: Any = None
    ) -> Steps[float | None]:
        """Add to the score of a member, which is made if it is missing; the new score."""
        member = self._dumps_member(value)
        return _score((yield ask("ZINCRBY", self._key(key, version), amount, member)))

    @verb
    def zpopmax(self, key: Any, count: int | None = None, version: Any = None) -> Steps[Any]:
        """Take out the member of the highest score, as (member, score) or None; a list with ``count``."""
        reply = yield ask("ZPOPMAX", self._key(key, version), *_count(count))
        return self._popped(reply, count)

    @verb
    def zpopmin(self, key: Any, count: int | None = None, version: Any = None) -> Steps[Any]:
        """As ``zpopmax``, of the lowest score."""
        reply = yield ask("ZPOPMIN", self._key(key, version), *_count(count))
        return self._popped(reply, count)

    @verb
    def zrange(
        self,
        key: Any,
        start: int,
        end: int,
        desc: bool = False,
        withscores: bool = False,
        score_cast_func: Cast = float,
        version: Any = None,
    ) -> Steps[list[Any]]:
        """The members from one rank to another, by rising score; (member, score) ``withscores``."""
        command = "ZREVRANGE" if desc else "ZRANGE"
        full = self._key(key, version)
        reply = yield ask_to_read(command, full, start, end, *_withscores(withscores))
        return self._ranged(reply, withscores, score_cast_func)

    @verb
    def zrevrange(
        self,
        key: Any,
        start: int,
        end: int,
        withscores: bool = False,
        score_cast_func: Cast = float,
        version: Any = None,
    ) -> Steps[list[Any]]:
        """As ``zrange``, by falling score."""
        full = self._key(key, version)
        reply = yield ask_to_read("ZREVRANGE", full, start, end, *_withscores(withscores))
        return self._ranged(reply, withscores, score_cast_func)

    @verb
    def zrangebyscore(
        self,
        key: Any,
        min: Score,
        max: Score,
        start: int | None = None,
        num: int | None = None,
        withscores: bool = False,
        score_cast_func: Cast = float,
        version: Any = None,
    ) -> Steps[list[Any]]:
        """The members with a score from ``min`` to ``max``; of these ``num``, from the one at ``start``."""
        options = (*_withscores(withscores), *_limit(start, num))
        reply = yield ask_to_read("ZRANGEBYSCORE", self._key(key, version), min, max, *options)
        return self._ranged(reply, withscores, score_cast_func)

    @verb
    def zrevrangebyscore(
        self,
        key: Any,
        max: Score,
        min: Score,
        start: int | None = None,
        num: int | None = None,
        withscores: bool = False,
        score_cast_func: Cast = float,
        version: Any = None,
    ) -> Steps[list[Any]]:
        """As ``zrangebyscore``, by falling score; ``max`` comes first."""
        options = (*_withscores(withscores), *_limit(start, num))
        reply = yield ask_to_read("ZREVRANGEBYSCORE", self._key(key, version), max, min, *options)
        return self._ranged(reply, withscores, score_cast_func)

    @verb
    def zrank(
        self, key: Any, value: Any, withscore: bool = False, version: Any = None
    ) -> Steps[Any]:
        """The rank of a member by rising score, from 0. None: it is missing.

        ``withscore``: [rank, score], which needs Redis 7.2.
        """
        option = ("WITHSCORE",) if withscore else ()
        member = self._dumps_member(value)
        reply = yield ask_to_read("ZRANK", self._key(key, version), member, *option)
        return [reply[0], _score(reply[1])] if isinstance(reply, list) else reply

    @verb
    def zrem(self, key: Any, *values: Any, version: Any = None) -> Steps[int]:
        """Remove members; how many were there."""
        members = [self._dumps_member(value) for value in values]
        return int((yield ask("ZREM", self._key(key, version), *members)))

    @verb
    def zremrangebyscore(self, key: Any, min: Score, max: Score, version: Any = None) -> Steps[int]:
        """Remove the members with a score from ``min`` to ``max``; how many there were."""
        return int((yield ask("ZREMRANGEBYSCORE", self._key(key, version), min, max)))

    @verb
    def zscore(self, key: Any, value: Any, version: Any = None) -> Steps[float | None]:
        """The score of a member. None: it is missing."""
        member = self._dumps_member(value)
        return _score((yield ask_to_read("ZSCORE", self._key(key, version), member)))

    azadd = twin(zadd)
    azcard = twin(zcard)
    azcount = twin(zcount)
    azincrby = twin(zincrby)
    azpopmax = twin(zpopmax)
    azpopmin = twin(zpopmin)
    azrange = twin(zrange)
    azrevrange = twin(zrevrange)
    azrangebyscore = twin(zrangebyscore)
    azrevrangebyscore = twin(zrevrangebyscore)
    azrank = twin(zrank)
    azrem = twin(zrem)
    azremrangebyscore = twin(zremrangebyscore)
    azscore = twin(zscore)

    def _popped(self, reply: list[Any], count: int | None) -> Any:
        pairs = [(self._loads(member), _score(score)) for member, score in _pairs(reply)]
        if count is not None:
            return pairs
        return pairs[0] if pairs else None

    def _ranged(self, reply: list[Any], withscores: bool, cast: Cast) -> list[Any]:
        if not withscores:
            return self._loads_all(reply)
        return [(self._loads(member), cast(float(score))) for member, score in _pairs(reply)]


def _pairs(reply: list[Any]) -> Iterable[Any]:
    """RESP 2 gives one flat list, RESP 3 a list of pairs; of a single pop both are flat."""
    if reply and isinstance(reply[0], list):
        return reply
    return zip(reply[::2], reply[1::2], strict=True)


def _score(reply: Any) -> float | None:
    return None if reply is None else float(reply)


def _count(count: int | None) -> tuple[int, ...]:
    return () if count is None else (count,)


def _withscores(withscores: bool) -> tuple[str, ...]:
    return ("WITHSCORES",) if withscores else ()


def _limit(start: int | None, num: int | None) -> tuple[Argument, ...]:
    if (start is None) != (num is None):
        raise ValueError("start and num go together")
    return () if start is None or num is None else ("LIMIT", start, num)
