"""Keys that memcached would refuse: Django's warnings, word for word, from every verb."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from django.core.cache.backends.base import CacheKeyWarning, InvalidCacheKey

from backends import BACKENDS, KEEPING
from doors import over
from operations import BLANK, LONG, OPERATIONS, told

WARNING = tuple(backend for backend in BACKENDS if backend.warns)
REFUSING = tuple(backend for backend in BACKENDS if backend.refuses)
SILENT = tuple(backend for backend in BACKENDS if not (backend.warns or backend.refuses))


@over("pair", WARNING)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
@pytest.mark.parametrize("key", [LONG, BLANK, "k " * 150, "\x7f", "é" * 251], ids=ascii)
def test_every_verb_warns_of_unportable_keys_with_djangos_words(
    pair: Any, operation: Any, key: str
) -> None:
    ours, theirs = pair()
    for present in (False, True):
        if present and pair.backend.keeps:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ours.set(key, 1)
                theirs.set(key, 1)
        expected = told(operation, theirs, key)
        assert told(operation, ours, key) == expected
        assert expected[0][0] is CacheKeyWarning


@over("pair", WARNING)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
@pytest.mark.parametrize("character", ["k", "é", "日", "\U0001f3b7", "\u2028"], ids=ascii)
def test_250_characters_are_no_cause_for_a_warning(
    pair: Any, operation: Any, character: str
) -> None:
    ours, _ = pair()
    assert told(operation, ours, character * (250 - len(":1:"))) == []
    assert told(operation, ours, character * (251 - len(":1:"))) != []


@over("make", filter(KEEPING.__contains__, WARNING))
def test_a_warning_made_an_error_stops_the_verb(cache: Any) -> None:
    with pytest.raises(CacheKeyWarning):
        cache.set(BLANK, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cache.get(BLANK) is None


@over("make", SILENT)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
@pytest.mark.parametrize("key", [LONG, BLANK], ids=["long", "blank"])
def test_where_the_class_replaced_checks_no_keys_nothing_is_said(
    make: Any, operation: Any, key: str
) -> None:
    cache = make()
    assert told(operation, cache, key) == []
    cache.set(key, "kept")
    assert cache.get(key) == "kept"


@over("pair", REFUSING)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
@pytest.mark.parametrize("key", [LONG, BLANK, "k " * 150, "\x7f", "é" * 251], ids=ascii)
def test_where_the_class_replaced_refuses_keys_so_does_every_verb(
    pair: Any, operation: Any, key: str
) -> None:
    ours, theirs = pair()
    said = []
    for cache in (ours, theirs):
        cache.set("fine", "before")
        with pytest.raises(InvalidCacheKey) as refused:
            operation(cache, key)
        said.append(str(refused.value))
        # The other keys of the call are not touched.
        assert cache.get("fine") == "before"
    assert said[0] == said[1]


@over("make", REFUSING)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_a_key_of_too_many_bytes_is_refused_as_well(cache: Any, operation: Any) -> None:
    """Django counts characters, the server bytes."""
    assert told(operation, cache, "é" * 123 + "k") == []
    with pytest.raises(InvalidCacheKey, match="bytes"):
        operation(cache, "é" * 124)
