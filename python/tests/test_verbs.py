"""Every verb answers as Django's own class does: thousands of calls, side by side."""

from __future__ import annotations

import inspect
import random
import warnings
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache

from backends import CULLING, Backend
from calls import Call, arguments, outcome, perform, random_call
from doors import VERBS, over


def compare(ours: Any, theirs: Any, calls: list[Call]) -> None:
    for number, call in enumerate(calls):
        expected = perform(theirs, call)
        assert perform(ours, call) == expected, f"call {number}: {call}"


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_answer_as_djangos_own_class_does(pair: Any, seed: int) -> None:
    chance = random.Random(seed)
    # `clear` seldom, so that there is something in the store.
    verbs = [verb for verb in VERBS if verb != "clear"] * 8 + ["clear"]
    ours, theirs = pair(OPTIONS={"MAX_ENTRIES": 1000})
    calls = [random_call(verbs, chance) for _ in range(2000)]
    compare(ours, theirs, [call for call in calls if adds_what_can_be_added(pair.backend, call)])


def adds_what_can_be_added(backend: Backend, call: Call) -> bool:
    """False for an ``incr`` by what is no number, where ours adds it and django-redis does not always.

    And by what is no whole number, where ours refuses it in another way than pymemcache.
    """
    verb, placed, named = call
    if verb not in ("incr", "decr"):
        return True
    delta = named.get("delta", placed[1] if placed[1:] else 1)
    if backend.adds == "not below 0":
        return type(delta) is int and abs(delta) < 2**64
    return backend.adds != "numbers" or type(delta) in (int, float)


@over("pair", CULLING)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("most", "frequency"), [(7, 3), (5, 0), (3, 2), (1, 1), (0, 3), (-1, 3)])
def test_random_calls_cull_as_djangos_own_class_does(
    pair: Any, seed: int, most: int, frequency: int
) -> None:
    chance = random.Random(seed)
    verbs = [verb for verb in VERBS if verb != "clear"] + ["set", "add", "get"] * 4
    ours, theirs = pair(OPTIONS={"MAX_ENTRIES": most, "CULL_FREQUENCY": frequency})
    compare(ours, theirs, [random_call(verbs, chance) for _ in range(700)])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_its_arguments_by_djangos_names_and_places(pair: Any, verb: str) -> None:
    ours, theirs = pair()
    chance = random.Random(verb)
    named = arguments(verb, chance)
    if verb in ("incr", "decr"):
        named["delta"] = 2
    for placed in range(len(named) + 1):
        values = tuple(named.values())
        rest = dict(list(named.items())[placed:])
        for target in (ours, theirs):
            target.set("a", 1)
        assert outcome(getattr(ours, verb), values[:placed], rest) == outcome(
            getattr(theirs, verb), values[:placed], rest
        )


@pytest.mark.parametrize("verb", VERBS)
def test_wrong_arguments_are_a_type_error(pair: Any, verb: str) -> None:
    ours, theirs = pair()
    named = arguments(verb, random.Random(1))
    wrong = [
        ((1,) * 9, {}),
        ((), {**named, "unknown": 1}) if verb != "close" else ((1,), {}),
        ((), {"version": 1}) if verb != "close" else ((1,), {}),
    ]
    if not pair.backend.has_more_arguments:
        wrong.append(((*named.values(), 1), {}))
    for placed, keywords in wrong:
        for target in (theirs, ours):
            with pytest.raises(TypeError):
                getattr(target, verb)(*placed, **keywords)


def test_get_or_set_names_the_argument_that_is_missing(cache: Any) -> None:
    with pytest.raises(
        TypeError, match=r"get_or_set\(\) missing 1 required positional argument: 'default'"
    ):
        cache.get_or_set("k")


def named_parameters(function: Any) -> list[tuple[str, Any]]:
    """The parameters that can be given by name, and their kinds."""
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind) for one in parameters if one.kind is not one.VAR_KEYWORD]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_djangos_signature(pair: Any, verb: str) -> None:
    ours, _ = pair()
    own = getattr(ours, "behind", ours)
    for name in (verb, f"a{verb}"):
        shown, djangos = (
            named_parameters(getattr(own, name)),
            named_parameters(getattr(BaseCache, name))[1:],
        )
        # What a client library adds comes behind.
        rest = shown[len(djangos) :]
        assert shown[: len(djangos)] == djangos
        assert not rest or pair.backend.has_more_arguments


@pytest.mark.parametrize("value", ["text", [1], {"a": 1}, None, b"bytes", {1}], ids=repr)
def test_incr_of_what_is_no_number_raises_what_adding_raises(pair: Any, value: Any) -> None:
    ours, theirs = pair()
    for verb in ("incr", "decr"):
        for target in (ours, theirs):
            target.set("k", value)
        expected = outcome(getattr(theirs, verb), ("k",), {})
        assert outcome(getattr(ours, verb), ("k",), {}) == expected
        assert ours.get("k") == theirs.get("k")


@pytest.mark.parametrize(
    ("value", "delta"),
    [(1, 1), (1, 0.5), (1.5, 1), (2**63 - 1, 1), (-(2**63), -1), (2**63, -1), (True, 1), (1, True),
     ("a", "b"), ([1], [2]), (1, 2**100), (3, -5), (2**64 - 1, 1)],
)  # fmt: skip
def test_incr_adds_whatever_can_be_added(pair: Any, value: Any, delta: Any) -> None:
    if not adds_what_can_be_added(pair.backend, ("incr", ("k", delta), {})):
        pytest.skip("this backend adds numbers alone")
    ours, theirs = pair()
    for target in (ours, theirs):
        target.set("k", value)
    found, expected = (outcome(target.incr, ("k", delta), {}) for target in (ours, theirs))
    signs = "memcached" in pair.backend.name and value in (2**63, 2**64 - 1)
    if signs and "refused" in (found, expected):
        # Of so large a number the server looks for a sign, also behind its end, in what was there before.
        return
    assert found == expected
    assert outcome(ours.get, ("k",), {}) == outcome(theirs.get, ("k",), {})


@pytest.mark.parametrize("many", ["get_many", "delete_many", "set_many"])
@pytest.mark.parametrize(
    "given", [[], {}, (), iter(()), "ab", {"a": 1}, None, 5, [["a"]], [{}]], ids=repr
)
def test_the_many_verbs_take_and_refuse_what_djangos_do(pair: Any, many: str, given: Any) -> None:
    ours, theirs = pair()
    for target in (ours, theirs):
        target.set_many({"a": 1, "b": 2, "['a']": 3})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = outcome(getattr(theirs, many), (given,), {})
        assert outcome(getattr(ours, many), (given,), {}) == expected


def test_set_many_takes_anything_that_has_items(pair: Any) -> None:
    class Pairs:
        def items(self) -> Any:
            return iter([("a", 1), ["b", 2], "c3"])

    ours, theirs = pair()
    for target in (ours, theirs):
        assert not target.set_many(Pairs())
    assert ours.get_many("abc") == theirs.get_many("abc")


def test_a_generator_of_keys_that_fails_raises_its_own_error(make: Any) -> None:
    def keys() -> Any:
        yield "a"
        raise LookupError("out of keys")

    cache = make()
    cache.set("a", 1)
    for verb in (cache.get_many, cache.delete_many):
        with pytest.raises(LookupError, match="out of keys"):
            verb(keys())
    # A server is asked when all keys are known.
    assert cache.get("a") == (None if make.backend.in_process else 1)


def test_in_asks_has_key(cache: Any) -> None:
    cache.set("k", None)
    assert "k" in cache
    assert "other" not in cache


def test_clear_gives_what_djangos_gives(pair: Any) -> None:
    ours, theirs = pair()
    assert ours.clear() is theirs.clear()
