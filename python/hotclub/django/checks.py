"""System checks of ``CACHES``: what Django accepts in silence, and what would fail at the first request.

They look at every alias whose ``BACKEND`` is a class of hotclub or derives from one.

============  ==========================================================================================
id            what is wrong
============  ==========================================================================================
hotclub.E001  an option is wrong or fits no other one, or LOCATION names no place: it would not open
hotclub.E002  two aliases name the same ``LOCATION`` with other limits: the second one would not open
hotclub.E003  ``OPTIONS`` is no dict
hotclub.E004  ``BACKEND`` begins with ``hotclub.`` and cannot be imported
hotclub.W001  an option that nothing reads (in a class derived from ours: only what looks like a slip)
hotclub.W002  a limit or ``TIMEOUT`` that is no whole number: Django takes another one and does not tell
hotclub.W003  an option of ours beside ``OPTIONS`` instead of in it: nothing reads it there
hotclub.W004  ``CULL_FREQUENCY`` without effect: this policy evicts one by one
hotclub.W005  ``MAX_ENTRIES`` or ``CULL_FREQUENCY`` of a Redis cache: its server decides what it drops
hotclub.W006  aliases share a Redis database, table, file or directory: ``clear()`` of one takes all
hotclub.W007  DATABASE_ROUTERS send a table of a cache to a database that DATABASES does not have
============  ==========================================================================================

Django's own checks open every cache too: where one cannot be opened (E001, E002, E004), its exception,
which says the same, may end the command before these are printed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.utils.module_loading import import_string

from hotclub.django import backends
from hotclub.django.check_alias import KNOWN_OF_REDIS, OPTIONS_OF, Alias, redis_options_of
from hotclub.django.check_clear import cleared_together
from hotclub.django.memcached import MemcachedCache
from hotclub.django.memcached_options import OURS as MEMCACHED_OPTIONS
from hotclub.django.options import memory_options
from hotclub.django.redis import RedisCache
from hotclub.django.redis_options.names import ACCEPTED
from hotclub.django.shared import Shared
from hotclub.django.sqlite import file_of

#: Options that Django reads and replaces in silence, with what it takes instead.
DJANGOS = {"MAX_ENTRIES": 300, "CULL_FREQUENCY": 3}
#: Those that also stand beside OPTIONS, there with a meaning of their own.
BESIDE_TOO = {"REVERSE_KEY_FUNCTION", "timeout"}
#: Classes of ours that BACKEND may name, for hints.
CLASSES = (
    "DatabaseCache",
    "LocMemCache",
    "DummyCache",
    "FileBasedCache",
    "MemcachedCache",
    "PyLibMCCache",
    "PyMemcacheCache",
    "RedisCache",
    "SQLiteCache",
)
#: What Django puts into DATABASES where a site has none.
NO_DATABASE = "django.db.backends.dummy"


def check_caches(**_: Any) -> list[CheckMessage]:
    """All checks, over all aliases."""
    found: list[CheckMessage] = []
    aliases: list[Alias] = []
    for name, params in settings.CACHES.items():
        read = _read(name, params)
        if isinstance(read, Alias):
            aliases.append(read)
        elif read is not None:
            found.append(read)
    for alias in aliases:
        for check in (
            _of_its_room(alias),
            _no_whole_numbers,
            _misplaced,
        ):
            found.extend(check(alias))
    return [*found, *_conflicts(aliases), *cleared_together(aliases)]


def _of_its_room(alias: Alias) -> Callable[[Alias], Iterator[CheckMessage]]:
    if alias.is_redis:
        return _of_redis
    return _of_memcached if alias.is_memcached else _of_this_machine


def _of_this_machine(alias: Alias) -> Iterator[CheckMessage]:
    for check in (_wrong_values, _unread_names, _no_culling, _no_table, _no_file):
        yield from check(alias)


def _read(name: str, params: Any) -> Alias | Error | None:
    path = params.get("BACKEND") if isinstance(params, Mapping) else None
    if not isinstance(path, str):
        return None
    try:
        backend = import_string(path)
    except ImportError as error:
        return _no_backend(name, path, error) if path.startswith("hotclub.") else None
    if not (isinstance(backend, type) and issubclass(backend, Shared)):
        return None
    options = params.get("OPTIONS", {})
    if not isinstance(options, Mapping):
        return Error(
            f"CACHES[{name!r}]['OPTIONS'] is {options!r}, which is no dict.",
            hint="Write OPTIONS as a dict, or leave it out.",
            id="hotclub.E003",
        )
    return Alias(name, backend, params, options)


def _no_backend(name: str, path: str, error: ImportError) -> Error:
    classes = [f"hotclub.django.{found}" for found in CLASSES]
    near = difflib.get_close_matches(path, classes, 1)
    return Error(
        f"CACHES[{name!r}]['BACKEND'] is {path!r}, which cannot be imported: {error}.",
        hint=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(classes)}.",
        id="hotclub.E004",
    )


def _wrong_values(alias: Alias) -> Iterator[CheckMessage]:
    read = alias.of_its_class.read
    for name in alias.known.keys() & alias.options.keys():
        try:
            if name in DJANGOS:
                _whole(alias.options[name])
            else:
                read({"OPTIONS": {name: alias.options[name]}})
        except (ImproperlyConfigured, OverflowError):
            yield Error(
                f"{alias.option(name)} must be {alias.known[name]}, not {alias.options[name]!r}.",
                hint=f"Correct {name}, or leave it out for the default.",
                obj=alias.backend,
                id="hotclub.E001",
            )


def _unread_names(alias: Alias) -> Iterator[CheckMessage]:
    if not alias.known:
        return
    ours = alias.backend in OPTIONS_OF
    for name in alias.options.keys() - alias.known.keys():
        # A derived class may have options of its own.
        cutoff = 0.6 if ours else 0.75
        near = difflib.get_close_matches(str(name).upper(), alias.known, 1, cutoff)
        if not near and not ours:
            continue
        options = ", ".join(sorted(alias.known))
        hint = f"Did you mean {near[0]}? It has: {options}." if near else f"It has: {options}."
        named, lacking = alias.option(name), f"{alias.backend.__name__} has no such option."
        if ours and alias.of_its_class.refuses:
            what = f"{named} is refused: {lacking}"
            yield Error(what, hint=hint, obj=alias.backend, id="hotclub.E001")
        else:
            what = f"{named} is read by nothing: {lacking}"
            yield Warning(what, hint=hint, obj=alias.backend, id="hotclub.W001")


def _no_whole_numbers(alias: Alias) -> Iterator[CheckMessage]:
    limits = {} if alias.is_elsewhere else DJANGOS
    given = [(alias.option(name), name, alias.options, other) for name, other in limits.items()]
    if alias.params.get("TIMEOUT") is not None:
        given.append((f"{alias.place}['TIMEOUT']", "TIMEOUT", alias.params, 300))
    for place, name, where, other in given:
        if name not in where:
            continue
        try:
            taken = _whole(where[name])
        except OverflowError:
            continue
        if taken is None or _is_cut(where[name], taken):
            yield Warning(
                f"{place} is {where[name]!r}, which is no whole number: "
                f"Django takes {other if taken is None else taken} instead.",
                hint=f"Write {name} as a whole number.",
                obj=alias.backend,
                id="hotclub.W002",
            )


def _whole(value: Any) -> int | None:
    """What Django makes of a number, ``None`` if it gives up. OverflowError: it does not catch that."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _is_cut(value: Any, taken: int) -> bool:
    return not isinstance(value, (str, bytes)) and value != taken


def _misplaced(alias: Alias) -> Iterator[CheckMessage]:
    known = ACCEPTED.keys() - BESIDE_TOO if alias.is_redis else alias.known.keys()
    if alias.is_memcached:
        known = MEMCACHED_OPTIONS.keys()
    for name in sorted(known & alias.params.keys()):
        yield Warning(
            f"{alias.place}[{name!r}] is read by nothing: it stands beside OPTIONS.",
            hint=f"Move {name} into OPTIONS.",
            obj=alias.backend,
            id="hotclub.W003",
        )


def _no_culling(alias: Alias) -> Iterator[CheckMessage]:
    limits = _limits(alias)
    if limits is None or "CULL_FREQUENCY" not in alias.options:
        return
    if limits.policy == "s3-fifo" or limits.culled_at is None:
        yield Warning(
            f"{alias.option('CULL_FREQUENCY')} has no effect: this cache evicts one entry at a time.",
            hint='Leave it out, or use POLICY "lru" with MAX_ENTRIES, which culls as Django does.',
            obj=alias.backend,
            id="hotclub.W004",
        )


@dataclass(frozen=True)
class Limits:
    """What belongs to the store, not to one alias; and from how many entries an alias culls."""

    policy: str
    max_bytes: int | None
    max_entries: int | None
    culled_at: int | None

    def __str__(self) -> str:
        entries = f", MAX_ENTRIES {self.max_entries}" if self.policy == "s3-fifo" else ""
        return f"POLICY {self.policy}, MAX_BYTES {self.max_bytes}{entries}"


def _limits(alias: Alias) -> Limits | None:
    """As the class will read them; ``None`` if it cannot."""
    if not issubclass(alias.backend, backends.LocMemCache):
        return None
    try:
        options = memory_options(dict(alias.params))
        entries = _whole(alias.params.get("max_entries", alias.options.get("MAX_ENTRIES", 300)))
    except (ImproperlyConfigured, OverflowError):
        return None
    policy = options.policy or ("lru" if options.max_bytes is None else "s3-fifo")
    most: int | None = 300 if entries is None else entries
    if options.max_bytes is not None and not options.max_entries_given:
        most = None
    return Limits(policy, options.max_bytes, most if policy == "s3-fifo" else None, most)


def _conflicts(aliases: Iterable[Alias]) -> Iterator[CheckMessage]:
    first: dict[str, tuple[Alias, Limits]] = {}
    for alias in aliases:
        limits = _limits(alias)
        if limits is None:
            continue
        location = str(alias.params.get("LOCATION", ""))
        other, others = first.setdefault(location, (alias, limits))
        if str(limits) != str(others):
            yield Error(
                f"{alias.place} and {other.place} share the LOCATION {location!r} "
                f"with other limits: {limits}; {others}.",
                hint="Give them the same POLICY and MAX_BYTES, or a LOCATION each.",
                obj=alias.backend,
                id="hotclub.E002",
            )


def _no_table(alias: Alias) -> Iterator[CheckMessage]:
    """No LOCATION, or one in a database that is not there. Whether the table was made is not looked at."""
    if not alias.is_table:
        return
    table = alias.params.get("LOCATION", "")
    if not table:
        yield Error(
            f"{alias.place}['LOCATION'] names no table.",
            hint="Name one, and let `manage.py createcachetable` make it.",
            obj=alias.backend,
            id="hotclub.E001",
        )
        return
    entries = BaseDatabaseCache(table, {}).cache_model_class
    for database in sorted({router.db_for_read(entries), router.db_for_write(entries)}):
        if database not in connections or connections.settings[database]["ENGINE"] == NO_DATABASE:
            yield Warning(
                f"{alias.place}: its table {table!r} is in the database {database!r}, "
                "which DATABASES does not have.",
                hint="Add it to DATABASES, or correct what DATABASE_ROUTERS say of django_cache.",
                obj=alias.backend,
                id="hotclub.W007",
            )


def _no_file(alias: Alias) -> Iterator[CheckMessage]:
    """A LOCATION that is no file, or that of a database of Django's."""
    if not alias.is_sqlite:
        return
    try:
        file_of(alias.params.get("LOCATION", ""))
    except ImproperlyConfigured as error:
        yield Error(
            f"{alias.place} would not open: {str(error).removeprefix('hotclub: ')}.",
            hint="Name a file that is the cache's alone.",
            obj=alias.backend,
            id="hotclub.E001",
        )


def _of_redis(alias: Alias) -> Iterator[CheckMessage]:
    try:
        _open(alias)
    except ImproperlyConfigured as error:
        yield Error(
            f"{alias.place} would not open: {str(error).removeprefix('hotclub: ')}.",
            hint="Names and values: docs/reference/redis-options.md.",
            obj=alias.backend,
            id="hotclub.E001",
        )
    else:
        yield from _slips(alias)
    hint = "Leave it out; give the server maxmemory, and a maxmemory-policy such as allkeys-lfu."
    yield from _limits_without_effect(alias, hint)


def _of_memcached(alias: Alias) -> Iterator[CheckMessage]:
    params = {
        name: value for name, value in alias.params.items() if name not in ("BACKEND", "LOCATION")
    }
    # A class derived from ours may do more as it is made.
    ours = alias.backend.__module__ == MemcachedCache.__module__
    try:
        if ours:
            alias.backend(alias.params.get("LOCATION", ""), params)
    except ImproperlyConfigured as error:
        yield Error(
            f"{alias.place} would not open: {str(error).removeprefix('hotclub: ')}.",
            hint="Names and values: docs/reference/memcached-options.md.",
            obj=alias.backend,
            id="hotclub.E001",
        )
    yield from _limits_without_effect(
        alias, "Leave it out; start memcached with as much memory as it may take (-m)."
    )


def _limits_without_effect(alias: Alias, hint: str) -> Iterator[CheckMessage]:
    for name in DJANGOS:
        if name in alias.options:
            yield Warning(
                f"{alias.option(name)} has no effect: the server decides what it drops.",
                hint=hint,
                obj=alias.backend,
                id="hotclub.W005",
            )


def _slips(alias: Alias) -> Iterator[CheckMessage]:
    """Names that a derived class may read, or a serializer or compressor of the site's own; or nobody."""
    for name in alias.options.keys() - KNOWN_OF_REDIS:
        if near := difflib.get_close_matches(str(name), ACCEPTED, 1, cutoff=0.85):
            yield Warning(
                f"{alias.option(name)} is no option of {alias.backend.__name__}.",
                hint=f"Did you mean {near[0]}?",
                obj=alias.backend,
                id="hotclub.W001",
            )


def _open(alias: Alias) -> None:
    """As Django does it: nothing is connected. A class derived from ours may do more, so it is only read."""
    if alias.backend is not RedisCache:
        redis_options_of(alias)
        return
    params = {
        name: value for name, value in alias.params.items() if name not in ("BACKEND", "LOCATION")
    }
    RedisCache(alias.params.get("LOCATION", ""), params)
