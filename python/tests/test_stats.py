"""The counters of ``cache.stats()`` add up."""

from __future__ import annotations

import random
from typing import Any

from hotclub.django import DummyCache

import clocks
from backends import IN_PROCESS, LOCMEM, a_location
from doors import over

NAMES = ["hits", "misses", "sets", "expired", "evicted", "culled", "deleted", "entries", "bytes"]


def moved(cache: Any, work: Any) -> dict[str, int]:
    """The counters that a piece of work changed, and by how much."""
    before = cache.stats()
    work()
    after = cache.stats()
    change = {name: after[name] - before[name] for name in NAMES if name != "bytes"}
    return {name: by for name, by in change.items() if by}


@over("make", IN_PROCESS)
def test_a_new_store_has_counted_nothing(cache: Any) -> None:
    stats = cache.stats()
    assert {name: stats[name] for name in NAMES if name != "bytes"} == dict.fromkeys(NAMES[:-1], 0)
    assert stats["hit_ratio"] == 0.0
    assert set(NAMES) <= set(stats)


@over("make", IN_PROCESS)
def test_each_verb_counts_as_what_it_is(cache: Any) -> None:
    assert moved(cache, lambda: cache.set("k", 1)) == {"sets": 1, "entries": 1}
    assert moved(cache, lambda: cache.get("k")) == {"hits": 1}
    assert moved(cache, lambda: cache.get("missing")) == {"misses": 1}
    assert moved(cache, lambda: cache.get_many(["k", "a", "b"])) == {"hits": 1, "misses": 2}
    assert moved(cache, lambda: cache.set_many({"a": 1, "b": 2})) == {"sets": 2, "entries": 2}
    assert moved(cache, lambda: cache.delete("a")) == {"deleted": 1, "entries": -1}
    assert moved(cache, lambda: cache.delete("a")) == {}
    assert moved(cache, lambda: cache.add("a", 1)) == {"sets": 1, "entries": 1}
    assert moved(cache, cache.clear) == {"deleted": 3, "entries": -3}


@over("make", IN_PROCESS)
def test_the_hit_ratio_is_hits_among_lookups(cache: Any) -> None:
    cache.set("k", 1)
    for key in ["k", "k", "k", "missing"]:
        cache.get(key)
    assert cache.stats()["hit_ratio"] == 0.75


@over("make", IN_PROCESS)
def test_bytes_follow_what_is_stored(cache: Any) -> None:
    empty = cache.stats()["bytes"]
    cache.set("k", "x" * 10_000)
    assert empty + 10_000 <= cache.stats()["bytes"] <= empty + 11_000
    cache.set("k", "x")
    assert cache.stats()["bytes"] < empty + 1000
    cache.set("other", ["y" * 5000])
    assert cache.stats()["bytes"] > empty + 5000
    cache.clear()
    assert cache.stats()["bytes"] == empty


@over("make", IN_PROCESS)
def test_entries_that_expired_are_taken_out_by_later_writes_and_counted_once(cache: Any) -> None:
    cache.set_many({"a": 1, "b": 2}, 0.03)
    clocks.until(lambda: cache.get("a") is None and cache.get("b") is None)

    def write() -> bool:
        for number in range(200):
            cache.set(str(number), number)
        cache.delete_many(range(200))
        return cache.stats()["entries"] == 0

    clocks.until(write)
    assert cache.stats()["expired"] == 2


@over("make", IN_PROCESS)
def test_an_expired_entry_that_is_written_over_counts_as_expired(cache: Any) -> None:
    for verb in (cache.set, cache.add):
        cache.set("k", 1, 0.03)
        clocks.until(lambda: cache.get("k") is None)
        assert moved(cache, lambda verb=verb: verb("k", 2)) == {"expired": 1, "sets": 1}
        cache.delete("k")


def test_what_was_stored_is_there_or_left_in_one_of_the_known_ways(configure: Any) -> None:
    chance = random.Random(5)
    for options in (
        {"MAX_ENTRIES": 50},
        {"MAX_BYTES": 100_000},
        {"MAX_ENTRIES": 50, "POLICY": "s3-fifo"},
    ):
        settings = {"BACKEND": LOCMEM, "LOCATION": a_location(), "OPTIONS": options}
        cache = configure(default=settings)["default"]
        stored = 0
        for _ in range(3000):
            key = str(chance.randrange(300))
            if chance.random() < 0.7:
                stored += cache.add(key, "x" * chance.randrange(1000))
            else:
                cache.delete(key)
        stats = cache.stats()
        left = stats["expired"] + stats["evicted"] + stats["culled"] + stats["deleted"]
        assert stored == stats["sets"] == stats["entries"] + left, options
        assert stats["evicted"] + stats["culled"] > 0


def test_aliases_of_one_location_share_their_counters(configure: Any) -> None:
    settings = {"BACKEND": LOCMEM, "LOCATION": a_location()}
    caches = configure(a=settings, b=settings)
    caches["a"].set("k", 1)
    caches["b"].get("k")
    assert caches["a"].stats() == caches["b"].stats()
    assert caches["a"].stats()["hits"] == 1


def test_dummy_has_the_same_counters_all_zero() -> None:
    cache = DummyCache("", {})
    cache.set("k", 1)
    assert dict.fromkeys(NAMES, 0).items() <= cache.stats().items()
