"""Timeouts as Django means them: seconds, ``None`` for ever, zero and below not at all."""

from __future__ import annotations

import decimal
import fractions
import time
from typing import Any

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from hotclub.django import LocMemCache

import clocks
from backends import BACKENDS, KEEPING, a_location
from calls import outcome
from doors import over

KEPT = [
    None,
    1,
    300,
    86400 * 365 * 100,
    2**31,
    60.5,
    True,
    fractions.Fraction(120, 2),
    DEFAULT_TIMEOUT,
]
#: What these mean to a server, `test_server_timeouts` says.
KEPT_IN_PROCESS = [2**62, 2**63 - 1, 2**64, 10**30, 1e18, 1e300, float("inf"), float("nan")]
NOT_KEPT = [0, -1, -300, -(2**63), -(10**30), 0.0, -0.0, -0.5, False, fractions.Fraction(0)]
REFUSED = ["5", "", b"5", [], {}, object(), decimal.Decimal("1.5"), 1 + 1j]


#: No server decides when an entry ends.
HERE = tuple(backend for backend in KEEPING if not backend.served)


def roads(cache: Any, timeout: Any) -> list[Any]:
    """The value after each verb that takes a timeout."""
    cache.set("set", 1, timeout)
    assert cache.add("add", 1, timeout) is True
    cache.set_many({"many": 1}, timeout)
    cache.set("touched", 1)
    assert cache.touch("touched", timeout) is True
    assert cache.get_or_set("or", 1, timeout) == 1
    return [cache.get(key) for key in ("set", "add", "many", "touched", "or")]


@pytest.mark.parametrize("timeout", KEPT, ids=repr)
def test_timeouts_that_keep_a_value(make: Any, timeout: Any) -> None:
    if timeout == 1 and make.backend.early:
        timeout += make.backend.early
    for _ in range(3):
        began = time.monotonic()
        found = roads(make(), timeout)
        if found == [1] * 5 or time.monotonic() - began < 0.9:
            break
        # The shortest may have been over before it was looked at: once more.
    assert found == [1] * 5


@over("make", HERE)
@pytest.mark.parametrize("timeout", KEPT_IN_PROCESS, ids=repr)
def test_no_timeout_is_too_long_without_a_server(cache: Any, timeout: Any) -> None:
    assert roads(cache, timeout) == [1] * 5


@over("make", HERE)
def test_minus_infinity_is_over_at_once_without_a_server(cache: Any) -> None:
    assert roads(cache, float("-inf")) == [None] * 5


@pytest.mark.parametrize("timeout", NOT_KEPT, ids=repr)
def test_timeouts_that_are_over_at_once_are_no_error(cache: Any, timeout: Any) -> None:
    assert roads(cache, timeout) == [None] * 5
    assert not any(cache.has_key(key) for key in ("set", "add", "many", "touched", "or"))


@over("pair", (backend for backend in BACKENDS if not backend.served))
@pytest.mark.parametrize("timeout", REFUSED, ids=repr)
def test_what_is_no_number_is_a_type_error_as_in_django(pair: Any, timeout: Any) -> None:
    ours, theirs = pair()
    if not pair.backend.keeps:
        ours.set("k", 1, timeout)
        return
    if not isinstance(timeout, complex):  # Django stores it and fails at the next get
        with pytest.raises(TypeError) as expected:
            theirs.set("k", 1, timeout)
    for verb, given in [("set", 1), ("add", 1), ("get_or_set", 1)]:
        with pytest.raises(TypeError) as raised:
            getattr(ours, verb)("k", given, timeout)
        if not isinstance(timeout, complex):
            assert str(raised.value) == str(expected.value)
    assert ours.get("k") is None


def test_a_decimal_zero_is_zero(pair: Any) -> None:
    for target in pair():
        target.set("k", 1, decimal.Decimal(0))
        assert target.get("k") is None


@pytest.mark.parametrize(
    ("setting", "kept"),
    [(None, True), (300, True), ("60", True), ("abc", True), ([], True), (5.9, True), (0, False), (-1, False),
     (0.9, False)],
)  # fmt: skip
def test_the_timeout_setting_is_the_default(pair: Any, setting: Any, kept: bool) -> None:
    ours, theirs = pair(TIMEOUT=setting)
    assert ours.default_timeout == theirs.default_timeout
    for target in (ours, theirs):
        target.set("k", 1)
        target.set("given", 1, 60)
        target.set("default", 1, DEFAULT_TIMEOUT)
    keys = ["k", "given", "default"]
    assert ours.get_many(keys) == theirs.get_many(keys)
    if pair.backend.keeps:
        assert (ours.get("k") is not None) is kept


@pytest.mark.parametrize(
    "default", [None, 0, -1, 60, 0.0, True, 2**70, fractions.Fraction(3, 2)], ids=repr
)
def test_a_reassigned_default_timeout_holds(pair: Any, default: Any) -> None:
    if default in (1, fractions.Fraction(3, 2)) and pair.backend.early:
        default += pair.backend.early  # or one of the two may be over before the other
    for _ in range(3):
        ours, theirs = pair()
        for target in (ours, theirs):
            target.default_timeout = default
        assert outcome(ours.set, ("k", 1), {}) == outcome(theirs.set, ("k", 1), {})
        found = ours.get("k"), theirs.get("k")
        if found[0] == found[1]:
            break
        # A whole second may pass between the two, on a busy machine: once more.
    assert found[0] == found[1]


@pytest.fixture
def fine(make: Any) -> Any:
    """A cache that keeps fractions of a second."""
    return make(OPTIONS=make.backend.fractions)


def test_a_value_is_there_until_its_timeout_and_not_after(make: Any, fine: Any) -> None:
    cache, timeout = fine, make.backend.a_while(0.04)
    cache.set_many({key: [key] for key in "abcd"}, None)
    began = time.monotonic()
    for key, made in (("a", float), ("b", fractions.Fraction), ("c", float)):
        cache.set(key, [key], made(timeout))
    clocks.until(lambda: cache.get_many("abcd") == {"d": ["d"]})
    assert time.monotonic() - began >= timeout - make.backend.early - 0.01
    assert not cache.has_key("b")
    assert cache.touch("b", 60) is False
    assert cache.add("c", "again") is True
    with pytest.raises(ValueError, match="not found"):
        cache.incr("b")


def test_touch_gives_a_new_time(make: Any, fine: Any) -> None:
    cache, soon = fine, make.backend.a_while(1.5)
    cache.set("longer", 1, soon)
    cache.set("shorter", 1, 300)
    cache.set("for-ever", 1, soon)
    assert cache.touch("longer", 300) is True
    assert cache.touch("shorter", make.backend.soon(0.05)) is True
    assert cache.touch("for-ever", None) is True
    cache.set("old", 1, soon)
    clocks.until(lambda: cache.get_many(["shorter", "old"]) == {})
    assert cache.get_many(["longer", "for-ever"]) == {"longer": 1, "for-ever": 1}


def test_incr_keeps_the_time_and_set_gives_a_new_one(make: Any, fine: Any) -> None:
    cache = fine
    cache.set_many({"counted": 1, "counted-slowly": 1.5, "set": 1}, make.backend.a_while(1.5))
    cache.incr("counted")
    if make.backend.adds in ("anything", "numbers"):
        cache.incr("counted-slowly", 1.5)
    cache.set("set", 2)
    clocks.until(lambda: cache.get("counted") is None)
    clocks.until(lambda: cache.get("counted-slowly") is None, limit=1)
    assert cache.get("set") == 2


def test_an_entry_moved_to_another_version_has_the_default_time(make: Any, fine: Any) -> None:
    cache = fine
    cache.default_timeout = make.backend.soon(0.05)
    cache.set("k", 1, 300)
    assert cache.incr_version("k") == 2
    if make.backend.moves_with_its_time:
        assert 290 < cache.ttl("k", version=2) <= 300
        return
    clocks.until(lambda: cache.get("k", version=2) is None)


def test_an_overridden_get_backend_timeout_decides() -> None:
    class Short(LocMemCache):
        seen: list[Any] = []  # noqa: RUF012

        def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
            self.seen.append(timeout)
            return None if timeout == "for ever" else time.time() - 1

    cache = Short(a_location(), {})
    cache.set("k", 1, 300)
    cache.set("default", 1)
    cache.set("kept", 1, "for ever")
    assert cache.get_many(["k", "default", "kept"]) == {"kept": 1}
    assert Short.seen[0] == 300
    assert Short.seen[1] is DEFAULT_TIMEOUT
