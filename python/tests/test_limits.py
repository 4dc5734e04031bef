"""Limits: whose they are, what they bound, and who has to leave."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hotclub.django import LocMemCache

from backends import CULLING, LOCMEM, a_location
from doors import over


def alias(location: str, **options: Any) -> dict[str, Any]:
    return {"BACKEND": LOCMEM, "LOCATION": location, "OPTIONS": options}


def test_other_limits_for_a_store_in_use_are_improper_configuration(configure: Any) -> None:
    location = a_location()
    caches = configure(a=alias(location), b=alias(location, POLICY="s3-fifo", MAX_BYTES="1MiB"))
    caches["a"].set("k", 1)
    with pytest.raises(ImproperlyConfigured) as raised:
        caches["b"].get("k")
    for part in (repr(location), "is in use with", "lru", "s3-fifo", "1048576"):
        assert part in str(raised.value)
    assert caches["a"].get("k") == 1


def test_a_store_that_nobody_uses_may_get_other_limits() -> None:
    location = a_location()
    for options in ({}, {"POLICY": "s3-fifo"}, {"MAX_BYTES": "1MiB"}, {"MAX_BYTES": "2MiB"}):
        cache = LocMemCache(location, {"OPTIONS": options})
        cache.set("k", options)
        assert cache.get("k") == options
        del cache
        gc.collect()


def test_aliases_of_one_location_may_have_limits_of_their_own(configure: Any) -> None:
    """MAX_ENTRIES belongs to the object, as in Django."""
    location = a_location()
    caches = configure(
        wide=alias(location, MAX_ENTRIES=1000), narrow=alias(location, MAX_ENTRIES=10)
    )
    caches["wide"].set_many({str(number): number for number in range(100)})
    assert caches["wide"].stats()["entries"] == 100
    caches["narrow"].set("new", 1)
    assert caches["narrow"].stats()["entries"] == 100 - 100 // 3 + 1


@pytest.mark.parametrize("wrong", ["abc", None, [], "1.5"], ids=repr)
@pytest.mark.parametrize("name", ["MAX_ENTRIES", "CULL_FREQUENCY"])
def test_a_limit_that_is_no_number_is_djangos_default(pair: Any, name: str, wrong: Any) -> None:
    ours, theirs = pair(OPTIONS={"MAX_ENTRIES": 77, name: wrong})
    if pair.backend.name == "sqlite" and (name, wrong) == ("MAX_ENTRIES", None):
        # No class of Django's: there is no limit unless one is given.
        assert ours._max_entries is None
        return
    assert (ours._max_entries, ours._cull_frequency) == (
        theirs._max_entries,
        theirs._cull_frequency,
    )


def test_lower_case_parameters_beside_options_win(configure: Any) -> None:
    settings = alias(a_location(), MAX_ENTRIES=100, CULL_FREQUENCY=4)
    settings |= {"max_entries": "20", "cull_frequency": 2, "timeout": "9"}
    cache = configure(default=settings)["default"]
    assert (cache._max_entries, cache._cull_frequency, cache.default_timeout) == (20, 2, 9)
    cache.set_many({str(number): number for number in range(21)})
    assert cache.stats()["entries"] == 11


@over("make", CULLING)
@pytest.mark.parametrize(("frequency", "left"), [(3, 29), (0, 19)])
def test_culling_leaves_as_many_as_djangos(make: Any, frequency: int, left: int) -> None:
    cache = make(OPTIONS={"MAX_ENTRIES": 30, "CULL_FREQUENCY": frequency})
    for number in range(1, 50):
        cache.set(f"cull{number}", number)
    assert sum(cache.has_key(f"cull{number}") for number in range(1, 50)) == left
    assert cache.stats()["culled"] == 49 - left


@over("make", CULLING)
def test_the_entry_used_last_survives_a_cull(make: Any) -> None:
    cache = make(OPTIONS={"MAX_ENTRIES": 9})
    for number in range(9):
        cache.set(number, number)
    assert cache.get(0) == 0
    cache.incr(1)
    assert cache.has_key(2)
    cache.touch(2)
    cache.set("new", 1)
    assert [cache.has_key(number) for number in range(9)] == [True, True] + [False] * 3 + [True] * 4


@pytest.mark.parametrize("size", [10, 1000, 100_000])
@pytest.mark.parametrize("policy", ["lru", "s3-fifo", None])
def test_max_bytes_bounds_what_is_kept(configure: Any, size: int, policy: str | None) -> None:
    options = {"MAX_BYTES": "1MiB"} | ({"POLICY": policy} if policy else {})
    cache = configure(default=alias(a_location(), **options))["default"]
    for number in range(3_000_000 // max(size, 300)):
        cache.set(f"key-{number}", f"{number:0{size}}")
    stats = cache.stats()
    assert stats["bytes"] <= 2**20
    assert stats["entries"] > 4
    assert stats["evicted"] > 0
    kept = sum(
        cache.get(f"key-{number}") is not None for number in range(3_000_000 // max(size, 300))
    )
    assert kept == stats["entries"]


def test_a_value_larger_than_all_room_is_not_kept_and_no_error(configure: Any) -> None:
    cache = configure(default=alias(a_location(), MAX_BYTES=100_000))["default"]
    cache.set("small", "x")
    cache.set("large", "x" * 200_000)
    assert cache.get("large") is None
    assert cache.stats()["bytes"] <= 100_000
    cache.set("small", "y" * 200_000)
    assert cache.get("small") is None, "neither the new value nor the old one"
