"""Memcached beside Django's own classes on the real client libraries: the same bytes, the same nodes."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest

from memcached_servers import MemcachedFleet, MemcachedServer
from packages import need_package
from redis_values import COMMON, RICH

# pylibmc asks None for its items when it is made without behaviors: its own business.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DJANGO = "django.core.cache.backends.memcached."
#: Our class, Django's, the options of both, and ours that says the same.
PAIRS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "pymemcache": ("PyMemcacheCache", "PyMemcacheCache", {}, {}),
    "modula": ("PyLibMCCache", "PyLibMCCache", {}, {"DISTRIBUTION": "modula"}),
    "ketama": (
        "PyLibMCCache",
        "PyLibMCCache",
        {"behaviors": {"ketama": True}},
        {"DISTRIBUTION": "ketama"},
    ),
    "ketama_weighted": (
        "PyLibMCCache",
        "PyLibMCCache",
        {"behaviors": {"ketama_weighted": True}},
        {"DISTRIBUTION": "ketama_weighted"},
    ),
}


def need_library(name: str) -> ModuleType:
    """The library behind a class of Django's; a machine may lack what pylibmc is built with."""
    return need_package("pylibmc" if name == "PyLibMCCache" else "pymemcache")


def same(one: Any, other: Any) -> bool:
    """Equal, and of one type."""
    return type(one) is type(other) and bool(one == other)


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, configure: Any, memcached_fleet: MemcachedFleet) -> Any:
    """Ours and Django's on three nodes."""
    return make_pair(request.param, configure, memcached_fleet.addresses)


def make_pair(name: str, configure: Any, location: Any) -> Any:
    ours, theirs, options, _ = PAIRS[name]
    need_library(theirs)
    caches = configure(
        default={"BACKEND": f"hotclub.django.{ours}", "LOCATION": location, "OPTIONS": options},
        theirs={"BACKEND": DJANGO + theirs, "LOCATION": location, "OPTIONS": options},
    )
    return caches["default"], caches["theirs"]


@pytest.mark.parametrize("name", ["pymemcache", "modula"])
@pytest.mark.parametrize("value", [*COMMON, *RICH], ids=lambda value: repr(value)[:20])
def test_each_reads_what_the_other_writes(
    name: str, value: Any, configure: Any, memcached_server: MemcachedServer
) -> None:
    ours, theirs = make_pair(name, configure, memcached_server.address)
    theirs.set("theirs", value)
    ours.set("ours", value)
    expected = theirs.get("theirs")
    # pylibmc forgets that a bool is one, and so do we in its place.
    assert same(ours.get("theirs"), expected)
    assert same(theirs.get("ours"), expected)
    assert same(ours.get("ours"), expected)
    flags = {
        key: memcached_server.command(f"get :1:{key}").split("\r\n")[0].split()[2]
        for key in ("ours", "theirs")
    }
    assert flags["ours"] == flags["theirs"]


def test_each_key_is_on_the_node_where_the_other_looks_for_it(pair: Any) -> None:
    """600 keys, a hundred of them not ASCII, each way."""
    ours, theirs = pair
    keys = [f"key-{number}" for number in range(500)] + [
        f"clé-日本-{number}" for number in range(100)
    ]
    assert ours.set_many({key: f"ours {key}" for key in keys}) == []
    assert sum(theirs.get(key) == f"ours {key}" for key in keys) == 600
    assert theirs.set_many({key: f"theirs {key}" for key in keys}) == []
    assert len(ours.get_many(keys)) == 600
    assert sum(ours.get(key) == f"theirs {key}" for key in keys) == 600
    ours.delete_many(keys)
    assert theirs.get_many(keys) == {}


@pytest.mark.parametrize("name", [name for name in PAIRS if PAIRS[name][3]])
def test_a_distribution_can_be_named_by_our_option_too(
    name: str, configure: Any, memcached_fleet: MemcachedFleet
) -> None:
    location, own = memcached_fleet.addresses, PAIRS[name][3]
    caches = configure(
        default={"BACKEND": "hotclub.django.MemcachedCache", "LOCATION": location, "OPTIONS": own},
        theirs={
            "BACKEND": "hotclub.django.PyLibMCCache",
            "LOCATION": ";".join(location),
            "OPTIONS": PAIRS[name][2],
        },
    )
    keys = [f"key-{number}" for number in range(100)]
    caches["default"].set_many(dict.fromkeys(keys, 1))
    assert len(caches["theirs"].get_many(keys)) == 100


@pytest.mark.parametrize("name", ["pymemcache", "modula"])
def test_counters_timeouts_and_answers_are_those_of_the_other(
    name: str, configure: Any, memcached_server: MemcachedServer
) -> None:
    pair = make_pair(name, configure, memcached_server.address)
    answers = []
    for cache in pair:
        cache.clear()
        said: list[Any] = [
            cache.set("n", 10),
            cache.incr("n"),
            cache.decr("n", 2),
            cache.incr("n", -9),
            cache.decr("n", 5),
            cache.get("n"),
            cache.add("n", 1),
            cache.add("new", 1, 0),
            cache.get("new"),
            cache.touch("n", 100),
            cache.touch("gone", 100),
            cache.set("ended", 1, -1),
            cache.get("ended"),
            cache.set("long", 1, 60 * 60 * 24 * 40),
            cache.get("long"),
            cache.delete("long"),
            cache.delete("long"),
            cache.set_many({"a": 1, "b": "2"}, None),
            cache.get_many(["a", "b", "c"]),
            cache.delete_many(["a", "b", "c"]),
            cache.has_key("a"),
            "n" in cache,
            cache.get_or_set("made", lambda: 5),
            cache.incr_version("made"),
            cache.get("made", version=2),
            cache.clear(),
        ]
        with pytest.raises(ValueError, match="Key ':1:gone' not found") as missing:
            cache.incr("gone")
        answers.append([*said, str(missing.value)])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["pymemcache", "modula"])
def test_errors_are_also_those_of_the_library(
    name: str, configure: Any, memcached_server: MemcachedServer
) -> None:
    ours, _ = make_pair(name, configure, memcached_server.address)
    errors = importlib.import_module("hotclub.errors")
    library = ours._lib
    not_a_number, too_big = (
        (library.exceptions.MemcacheClientError, library.exceptions.MemcacheServerError)
        if name == "pymemcache"
        else (library.ClientError, library.TooBig)
    )
    ours.set("text", "text")
    for expected in (not_a_number, errors.NotAnIntegerError):
        with pytest.raises(expected, match="non-numeric"):
            ours.incr("text")
    for expected in (too_big, errors.TooLargeError):
        ours.set("big", "small")
        with pytest.raises(expected, match="larger than the server takes"):
            ours.set("big", "x" * (1 << 20))
        assert ours.get("big") is None
    assert ours.set_many({"big": "x" * (1 << 20), "small": 1}) == ["big"]
    assert ours.get("small") == 1
    ours.set("there", "first")
    assert ours.add("there", "x" * (1 << 20)) is False
    assert ours.get("there") == "first"
