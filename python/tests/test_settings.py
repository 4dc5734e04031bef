"""``CACHES`` as users write it: locations, options and what is wrong with them, limits, many objects."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from typing import Any

import pytest
from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured
from hotclub.django import DummyCache, LocMemCache

from backends import IN_PROCESS, LOCMEM, a_location
from doors import over


def alias(location: str, **options: Any) -> dict[str, Any]:
    return {"BACKEND": LOCMEM, "LOCATION": location, "OPTIONS": options}


def test_aliases_of_one_location_share_its_entries(configure: Any) -> None:
    one, other = a_location(), a_location()
    caches = configure(a=alias(one), b=alias(one), c=alias(other))
    caches["a"].set("k", 1)
    assert [caches[name].get("k") for name in "abc"] == [1, 1, None]
    caches["c"].clear()
    caches["b"].delete("k")
    assert caches["a"].get("k") is None


def test_a_location_left_out_is_one_like_any_other(configure: Any) -> None:
    caches = configure(
        a={"BACKEND": LOCMEM}, b={"BACKEND": LOCMEM, "LOCATION": ""}, c=alias(a_location())
    )
    caches["a"].set("k", 1)
    assert [caches[name].get("k") for name in "abc"] == [1, 1, None]
    caches["a"].clear()


def test_a_location_of_another_type_is_its_text(configure: Any) -> None:
    caches = configure(a=alias(12345), b=alias("12345"))  # type: ignore[arg-type]
    caches["a"].set("k", 1)
    assert caches["b"].get("k") == 1


@pytest.mark.parametrize("prefix", ["KEY_PREFIX", "VERSION"])
def test_aliases_of_one_location_are_kept_apart_by_prefix_and_version(
    configure: Any, prefix: str
) -> None:
    location = a_location()
    caches = configure(a={**alias(location), prefix: "x"}, b={**alias(location), prefix: "y"})
    caches["a"].set("k", 1)
    assert caches["b"].get("k") is None
    caches["b"].clear()
    assert caches["a"].get("k") is None, "clear() takes everything, as in Django"


def test_an_unknown_backend_is_an_invalid_cache_backend(configure: Any) -> None:
    for path in ("hotclub.django.NoSuchCache", "hotclub.nowhere.LocMemCache"):
        with pytest.raises(InvalidCacheBackendError, match="Could not find backend"):
            configure(default={"BACKEND": path})["default"].get("k")


WRONG = [
    ({"POLICY": "mru"}, "OPTIONS['POLICY'] must be one of", "'mru'"),
    ({"POLICY": 5}, "OPTIONS['POLICY'] must be one of", "5"),
    ({"MAX_BYTES": 0}, "OPTIONS['MAX_BYTES'] must be", "0"),
    ({"MAX_BYTES": -1}, "OPTIONS['MAX_BYTES'] must be", "-1"),
    ({"MAX_BYTES": True}, "OPTIONS['MAX_BYTES'] must be", "True"),
    ({"MAX_BYTES": 1.5}, "OPTIONS['MAX_BYTES'] must be", "1.5"),
    ({"MAX_BYTES": "lots"}, "OPTIONS['MAX_BYTES'] must be", "'lots'"),
    ({"MAX_BYTES": "64 parsecs"}, "OPTIONS['MAX_BYTES'] must be", "'64 parsecs'"),
    ({"MAX_BYTES": [1]}, "OPTIONS['MAX_BYTES'] must be", "[1]"),
    ({"MAX_BYTES": 2**70}, "OPTIONS['MAX_BYTES'] must be", str(2**70)),
]


@pytest.mark.parametrize(("options", "rule", "given"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_wrong_options_are_improper_configuration_told_in_words(
    configure: Any, options: dict[str, Any], rule: str, given: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        configure(default=alias(a_location(), **options))["default"].get("k")
    assert rule in str(raised.value)
    assert str(raised.value).endswith(f"not {given}")


def test_close_keeps_the_entries(cache: Any) -> None:
    from django.core import signals

    cache.set("k", 1)
    cache.close()
    assert cache.get("k") == 1
    signals.request_finished.send(sender=None)
    assert cache.get("k") == 1


def test_each_thread_has_an_object_of_its_own_on_the_same_store(configure: Any) -> None:
    caches = configure(default=alias(a_location()))
    caches["default"].set("k", "shared")
    seen: list[Any] = [caches["default"]]

    async def task() -> None:
        seen.append(caches["default"])

    for target in (lambda: seen.append(caches["default"]), lambda: asyncio.run(task())):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join(10)
    assert len({id(cache) for cache in seen}) == len(seen) == 3
    assert {cache.get("k") for cache in seen} == {"shared"}


def test_a_new_object_is_cheap() -> None:
    params = {"TIMEOUT": 60, "OPTIONS": {"MAX_BYTES": "16MiB"}}
    location = a_location()
    keep = LocMemCache(location, params)
    keep.set_many({str(number): number for number in range(10_000)})
    began = time.perf_counter()
    for _ in range(2000):
        LocMemCache(location, params).get("5")
    # 20 µs each were measured; a store of its own for each would take many times that.
    assert time.perf_counter() - began < 2


@over("pair", IN_PROCESS)
def test_a_cache_object_cannot_be_pickled_as_djangos_cannot(pair: Any) -> None:
    for target in pair():
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(getattr(target, "behind", target))


def test_an_object_whose_init_has_not_run_says_so() -> None:
    class Broken(LocMemCache):
        def __init__(self, name: str, params: dict[str, Any]) -> None:
            self.key_prefix, self.version = "", 1

    with pytest.raises((RuntimeError, AttributeError)):
        Broken("x", {}).get("k")


def test_dummy_keeps_nothing_and_answers_as_djangos() -> None:
    cache = DummyCache("ignored", {"KEY_PREFIX": "p", "TIMEOUT": None})
    assert (cache.key_prefix, cache.default_timeout) == ("p", None)
    assert cache.add("k", 1) is True
    assert cache.get_or_set("k", lambda: 5) == 5
    assert cache.get("k", "default") == "default"
    assert cache.stats()["entries"] == 0
