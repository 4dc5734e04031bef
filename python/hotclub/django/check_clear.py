"""Whose entries ``clear()`` of an alias takes with it: a database, table, file or directory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured

from hotclub.django.check_alias import Alias, redis_options_of

#: Sessions that are in a cache.
SESSION_ENGINES = tuple(f"django.contrib.sessions.backends.{end}" for end in ("cache", "cached_db"))

APART_IN_REDIS = "Give each a database of its own, or a KEY_PREFIX of its own and CLEAR = 'prefix'."


def cleared_together(aliases: Iterable[Alias]) -> Iterator[CheckMessage]:
    """What ``clear()`` of one takes though others stored it. Prefixes count where CLEAR says so."""
    places: dict[str, list[Stored]] = {}
    for alias in aliases:
        if (found := _stored(alias)) is not None:
            place, stored = found
            places.setdefault(place, []).append(stored)
    for place, users in places.items():
        if what := _lost_with_sessions(users) or _lost_together(users):
            yield Warning(
                f"{what}: they share the {place}.",
                hint=APART_IN_REDIS
                if users[0].alias.is_redis
                else f"Give each a {place.split()[0]} of its own.",
                id="hotclub.W006",
            )


def _stored(alias: Alias) -> tuple[str, Stored] | None:
    """Where its entries are, if others may be there too."""
    if alias.is_table:
        return f"table {alias.params.get('LOCATION', '')!r}", Stored(alias, flushes=True)
    if alias.is_files or alias.is_sqlite:
        # What is no path is told elsewhere.
        location = alias.params.get("LOCATION", "")
        path = (
            os.path.realpath(location)
            if location and isinstance(location, (str, os.PathLike))
            else ""
        )
        kind = "directory" if alias.is_files else "file"
        return (f"{kind} {path!r}", Stored(alias, flushes=True)) if path else None
    try:
        options = redis_options_of(alias) if alias.is_redis else None
    except ImproperlyConfigured:
        return None
    if options is None:
        return None
    server = options.servers[0].replace("localhost", "127.0.0.1")
    return f"database {server}", Stored(alias, options.clear == "flushdb")


@dataclass(frozen=True)
class Stored:
    """An alias that others may share a store with, and whether its ``clear()`` empties the whole of it."""

    alias: Alias
    flushes: bool

    @property
    def prefix(self) -> str:
        """What its keys begin with."""
        return str(self.alias.params.get("KEY_PREFIX", ""))


def _lost_with_sessions(users: Iterable[Stored]) -> str:
    own = [user for user in users if _holds_sessions(user.alias)]
    others = [user for user in users if user not in own]
    clearing = [user for user in others if own and (user.flushes or user.prefix == own[0].prefix)]
    return f"clear() of {_named(clearing)} ends the sessions in {_named(own)}" if clearing else ""


def _lost_together(users: list[Stored]) -> str:
    """Who has a prefix of their own does not expect it; who shares one may want it so."""
    flushing = [user for user in users if user.flushes and not _holds_sessions(user.alias)]
    if not flushing or len({user.prefix for user in users}) == 1:
        return ""
    return f"clear() of {_named(flushing)} takes the entries of {_named(users)}"


def _holds_sessions(alias: Alias) -> bool:
    return settings.SESSION_ENGINE in SESSION_ENGINES and alias.name == settings.SESSION_CACHE_ALIAS


def _named(users: Iterable[Stored]) -> str:
    return ", ".join(user.alias.place for user in users)
