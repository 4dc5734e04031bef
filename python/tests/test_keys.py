"""Full keys are Django's, whatever makes them: parts of any type, new attributes, overridden methods."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.core.cache.backends.base import BaseCache, InvalidCacheKey, default_key_func
from hotclub.django import LocMemCache

from backends import IN_PROCESS, KEEPING, Backend, a_location
from key_functions import as_it_is, shout
from operations import BLANK, OPERATIONS, told


class Loud(str):
    """A str whose text is another one."""

    def __str__(self) -> str:
        return super().__str__().upper()


class Part:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"part-{self.text}"


ODD_KEYS = [
    "",
    "plain",
    "é日本\U0001f3b7",
    "\u0085\u00a0\u2028",
    "\udc80",
    0,
    -5,
    2**80,
    None,
    True,
    1.5,
    b"bytes",
    ("a", 1),
    Loud("loud"),
    Part("x"),
    "a:b%s{}",
]


def behind(location: str) -> LocMemCache:
    """A second cache on a store, that takes full keys."""
    return LocMemCache(location, {"KEY_FUNCTION": as_it_is})


@pytest.mark.filterwarnings("ignore::django.core.cache.CacheKeyWarning")
@pytest.mark.parametrize("backend", KEEPING, ids=lambda backend: backend.name)
@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
@pytest.mark.parametrize("version", [None, 2, "v1", Part("v"), 2**70], ids=str)
def test_a_full_key_is_put_together_as_django_does(
    configure: Any, backend: Backend, key: Any, version: Any
) -> None:
    location = backend.location()
    own = backend.settings(LOCATION=location, KEY_PREFIX="präfix", VERSION=7)
    caches = configure(
        default=own, behind=backend.settings(LOCATION=location, KEY_FUNCTION=as_it_is)
    )
    cache, behind = caches["default"], caches["behind"]
    full = default_key_func(key, "präfix", 7 if version is None else version)
    if not backend.takes(full):
        with pytest.raises(UnicodeEncodeError if backend.texts else InvalidCacheKey):
            cache.set(key, "found", version=version)
        return
    cache.set(key, "found", version=version)
    assert behind.get(full) == "found"
    assert cache.make_key(key, version) == full
    assert cache.delete_many([key], version) == backend.said("delete_many")
    assert behind.get(full) is None


@pytest.mark.parametrize(
    "function", [shout, "key_functions.shout"], ids=["callable", "dotted path"]
)
def test_a_key_function_is_called_with_key_prefix_and_version(make: Any, function: Any) -> None:
    location = make.backend.location()
    cache = make(LOCATION=location, KEY_FUNCTION=function, KEY_PREFIX="p", VERSION="v")
    cache.set("k", 1)
    cache.set("k", 2, version=3)
    reader = make(LOCATION=location, KEY_FUNCTION=as_it_is)
    assert reader.get_many(["v!p!k", "3!p!k"]) == {"v!p!k": 1, "3!p!k": 2}


def test_prefixes_and_versions_keep_entries_apart(cache: Any) -> None:
    cache.set("k", "one")
    cache.set("k", "two", version=2)
    assert (cache.get("k"), cache.get("k", version=2), cache.get("k", version=3)) == (
        "one",
        "two",
        None,
    )
    cache.key_prefix = "other"
    assert cache.get("k") is None


def test_reassigned_attributes_hold_at_the_next_call(cache: Any) -> None:
    cache.set("k", "first")
    for name, value in [
        ("key_prefix", "p"),
        ("version", 9),
        ("key_func", shout),
        ("key_prefix", Part("q")),
        ("version", None),
    ]:
        setattr(cache, name, value)
        assert cache.get("k") is None, name
        cache.set("k", name)
        assert cache.get("k") == name
    cache.key_prefix, cache.version, cache.key_func = "", 1, default_key_func
    assert cache.get("k") == "first"
    cache.default_timeout = 0
    cache.set("k", "gone")
    assert cache.get("k") is None


def test_reassigned_limits_hold_at_the_next_call() -> None:
    cache = LocMemCache(a_location(), {})
    for most, frequency, left in [(9, 3, 7), (20, 2, 11), (6, 0, 2)]:
        cache.clear()
        cache._max_entries, cache._cull_frequency = most, frequency
        for number in range(most + 1 if frequency else most + 2):
            cache.set(str(number), number)
        assert cache.stats()["entries"] == left


def test_text_parts_that_change_by_themselves_are_asked_each_time(cache: Any) -> None:
    tenant = Part("one")
    cache.key_prefix = tenant
    cache.set("k", "of one")
    tenant.text = "two"
    assert cache.get("k") is None
    tenant.text = "one"
    assert cache.get("k") == "of one"


@pytest.mark.parametrize("attribute", ["key_prefix", "version"])
def test_a_property_of_a_subclass_is_asked_each_time(attribute: str) -> None:
    current = {"tenant": "one"}
    asked = property(lambda self: current["tenant"], lambda self, given: None)
    cache = type("Tenants", (LocMemCache,), {attribute: asked})(a_location(), {})
    cache.set("k", "of one")
    current["tenant"] = "two"
    assert cache.get("k") is None
    current["tenant"] = "one"
    assert cache.get("k") == "of one"


@pytest.mark.parametrize("method", ["make_key", "validate_key", "make_and_validate_key"])
def test_patches_on_an_object_a_class_and_its_base_hold_and_end(make: Any, method: str) -> None:
    cache = make()
    cache.set("k", "v")
    own = getattr(cache, "behind", cache)
    for target in (own, type(own), BaseCache):
        if target is BaseCache and method == "validate_key" and not make.backend.warns:
            continue
        with mock.patch.object(target, method, return_value="a-key") as patched:
            cache.get("k")
            cache.set("k2", 1)
        assert patched.call_count == 2, target
        assert cache.get("k") == "v"


def test_a_verb_patched_on_the_class_is_used_by_the_compound_verbs(plain: Any) -> None:
    plain.set("k", 1)
    with mock.patch.object(type(plain), "add", return_value=True) as add:
        assert plain.get_or_set("other", 2) == 2
    add.assert_called_once()


@pytest.mark.parametrize("kind", IN_PROCESS, ids=lambda backend: backend.name, indirect=True)
def test_a_patched_verb_is_used_by_the_many_verbs_that_are_made_of_it(plain: Any) -> None:
    plain.set("k", 1)
    with mock.patch.object(type(plain), "get", return_value="patched"):
        assert plain.get_many(["x"]) == {"x": "patched"}
    with mock.patch.object(plain, "set") as patched:
        plain.set_many({"a": 1, "b": 2}, 5, version=3)
    assert patched.mock_calls == [
        mock.call("a", 1, timeout=5, version=3),
        mock.call("b", 2, timeout=5, version=3),
    ]
    assert plain.get_many(["k", "a"]) == {"k": 1}


class Liberal(LocMemCache):
    def validate_key(self, key: str) -> None:
        """Accept every key."""


class Hashed(LocMemCache):
    def make_key(self, key: Any, version: Any = None) -> str:
        return f"hashed-{key}-{version}"


class Strict(LocMemCache):
    def make_and_validate_key(self, key: Any, version: Any = None) -> str:
        if key == "bad":
            raise LookupError("refused")
        return f"strict-{key}"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_overridden_key_methods_of_a_subclass_are_used_by_every_verb(operation: Any) -> None:
    assert told(operation, Liberal(a_location(), {}), BLANK) == []
    with pytest.raises(LookupError, match="refused"):
        operation(Strict(a_location(), {}), "bad")


def test_an_overridden_make_key_makes_the_stored_key() -> None:
    location = a_location()
    cache = Hashed(location, {})
    cache.set_many({"k": 1})
    cache.set("k", 2, version=5)
    found = behind(location).get_many(["hashed-k-None", "hashed-k-5"])
    assert found == {"hashed-k-None": 1, "hashed-k-5": 2}
