"""System checks of ``CACHES``: what Django accepts in silence, and what would fail at the first request.

They look at every alias whose ``BACKEND`` is a class of hotclub or derives from one.

============  ==========================================================================================
id            what is wrong
============  ==========================================================================================
hotclub.E001  an option has a value that it cannot have: the cache would not open
hotclub.E002  two aliases name the same ``LOCATION`` with other limits: the second one would not open
hotclub.E003  ``OPTIONS`` is no dict
hotclub.E004  ``BACKEND`` begins with ``hotclub.`` and cannot be imported
hotclub.W001  an option that nothing reads (in a class derived from ours: only what looks like a slip)
hotclub.W002  a limit or ``TIMEOUT`` that is no whole number: Django takes another one and does not tell
hotclub.W003  an option of ours beside ``OPTIONS`` instead of in it: nothing reads it there
hotclub.W004  ``CULL_FREQUENCY`` without effect: this policy evicts one by one
============  ==========================================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from hotclub.django import backends
from hotclub.django.options import MEMORY_OPTIONS, memory_options
from hotclub.django.verbs import Verbs

#: The options of each class; one that is not here takes anything.
OPTIONS_OF: dict[type, Mapping[str, str]] = {backends.LocMemCache: MEMORY_OPTIONS}
#: Options that Django reads and replaces in silence, with what it takes instead.
DJANGOS = {"MAX_ENTRIES": 300, "CULL_FREQUENCY": 3}


@dataclass(frozen=True)
class Alias:
    """One entry of ``CACHES`` under a class of ours."""

    name: str
    backend: type
    params: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def known(self) -> Mapping[str, str]:
        """The options that its class has."""
        for backend, known in OPTIONS_OF.items():
            if issubclass(self.backend, backend):
                return known
        return {}

    def option(self, name: str) -> str:
        """How messages name an option."""
        return f"CACHES[{self.name!r}]['OPTIONS'][{name!r}]"


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
        for check in (_wrong_values, _unread_names, _no_whole_numbers, _misplaced, _no_culling):
            found.extend(check(alias))
    return found + list(_conflicts(aliases))


def _read(name: str, params: Any) -> Alias | Error | None:
    path = params.get("BACKEND") if isinstance(params, Mapping) else None
    if not isinstance(path, str):
        return None
    try:
        backend = import_string(path)
    except ImportError as error:
        return _no_backend(name, path, error) if path.startswith("hotclub.") else None
    if not (isinstance(backend, type) and issubclass(backend, Verbs)):
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
    classes = [f"hotclub.django.{found}" for found in ("LocMemCache", "DummyCache")]
    near = difflib.get_close_matches(path, classes, 1)
    return Error(
        f"CACHES[{name!r}]['BACKEND'] is {path!r}, which cannot be imported: {error}.",
        hint=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(classes)}.",
        id="hotclub.E004",
    )


def _wrong_values(alias: Alias) -> Iterator[CheckMessage]:
    for name in alias.known.keys() & alias.options.keys():
        try:
            if name in DJANGOS:
                _whole(alias.options[name])
            else:
                memory_options({"OPTIONS": {name: alias.options[name]}})
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
        near = difflib.get_close_matches(str(name).upper(), alias.known, 1)
        if not near and not ours:
            continue
        options = ", ".join(sorted(alias.known))
        yield Warning(
            f"{alias.option(name)} is read by nothing: {alias.backend.__name__} has no such option.",
            hint=f"Did you mean {near[0]}? It has: {options}." if near else f"It has: {options}.",
            obj=alias.backend,
            id="hotclub.W001",
        )


def _no_whole_numbers(alias: Alias) -> Iterator[CheckMessage]:
    given = [(alias.option(name), name, alias.options, other) for name, other in DJANGOS.items()]
    if alias.params.get("TIMEOUT") is not None:
        given.append((f"CACHES[{alias.name!r}]['TIMEOUT']", "TIMEOUT", alias.params, 300))
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
    for name in alias.known.keys() & alias.params.keys():
        yield Warning(
            f"CACHES[{alias.name!r}][{name!r}] is read by nothing: it stands beside OPTIONS.",
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
                f"CACHES[{alias.name!r}] and CACHES[{other.name!r}] share the LOCATION {location!r} "
                f"with other limits: {limits}; {others}.",
                hint="Give them the same POLICY and MAX_BYTES, or a LOCATION each.",
                obj=alias.backend,
                id="hotclub.E002",
            )
