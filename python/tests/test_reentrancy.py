"""Values whose own methods call the cache again: nothing hangs, nothing is lost. In programs with a limit."""

from __future__ import annotations

from typing import Any

import pytest

import programs
from backends import KEEPING, Backend

CALLING = """
import gc
from typing import Any
calls = []

def call(name):
    calls.append(name)
    if len(calls) < 50:
        cache.set("inner", [name])
        assert cache.get("inner") == [name]
        cache.set_many({"inner 2".replace(" ", "-"): 1})
        cache.get_many(["inner", "k"]) if name != "__setstate__" else None
        cache.incr("number") if cache.has_key("number") else cache.set("number", 1)
        cache.delete("inner")
"""


def check(backend: Backend, program: str, limit: float = 20) -> None:
    assert programs.run(CALLING + program, {"default": backend.settings()}, limit).strip() == "done"


ADDING = tuple(backend for backend in KEEPING if backend.adds == "anything")
each_backend = pytest.mark.parametrize("backend", KEEPING, ids=lambda backend: backend.name)


@each_backend
@pytest.mark.parametrize("method", ["__reduce__", "__getstate__", "__setstate__", "__del__"])
def test_a_value_may_call_the_cache_while_it_is_stored_read_or_freed(
    backend: Any, method: str
) -> None:
    check(
        backend,
        f"""
class Value:
    def __init__(self):
        self.part = ["x"]
    {CALLS[method]}
for store in (
    lambda v: cache.set("k", v),
    lambda v: cache.add("k", v),
    lambda v: cache.set_many({{"k": v}}),
    lambda v: cache.get_or_set("k", v),
):
    calls.clear()
    store(Value())
    assert cache.get("k").part == ["x"]
    assert cache.get_many(["k"])["k"].part == ["x"]
    cache.set("k", "another")
    cache.delete("k")
    gc.collect()
    assert calls, "the method was not called"
print("done")
""",
    )


CALLS = {
    "__reduce__": """
    def __reduce__(self):
        call("__reduce__")
        return Value, ()
""",
    "__getstate__": """
    def __getstate__(self):
        call("__getstate__")
        return self.__dict__
""",
    "__setstate__": """
    def __setstate__(self, state):
        call("__setstate__")
        self.__dict__.update(state)
""",
    "__del__": """
    def __del__(self):
        call("__del__")
""",
}


@pytest.mark.parametrize("backend", ADDING, ids=lambda backend: backend.name)
def test_a_number_may_call_the_cache_while_it_is_added_to(backend: Any) -> None:
    check(
        backend,
        """
class Number:
    def __init__(self, n): self.n = n
    def __add__(self, other):
        call("__add__")
        cache.set("k", Number(100)) if self.n == 1 else None
        return Number(self.n + other)
    def __eq__(self, other):
        call("__eq__")
        return self.n == other.n
    __hash__ = None
cache.set("k", Number(1))
assert cache.incr("k", 5).n == 105, "the value that was stored meanwhile counts"
assert cache.get("k") == Number(105)
print("done")
""",
    )


@each_backend
def test_a_key_and_a_prefix_may_call_the_cache_while_they_become_text(backend: Any) -> None:
    check(
        backend,
        """
class Key:
    def __str__(self):
        call("__str__")
        return "key"
cache.set(Key(), 1)
assert cache.get_many([Key()]) and cache.get("key") == 1
cache.set("prefixed", 1)
inner = caches["default"]
class Prefix:
    busy = False
    def __str__(self):
        if not Prefix.busy:
            Prefix.busy = True
            inner.get("other")
            Prefix.busy = False
        return ""
inner.key_prefix = Prefix()
assert inner.get("prefixed") == 1
print("done")
""",
    )


@each_backend
def test_a_loader_may_use_the_key_that_is_being_loaded(backend: Any) -> None:
    check(
        backend,
        """
def load():
    call("load")
    return cache.get_or_set("k", lambda: "inner")
assert cache.get_or_set("k", load) == "inner"
print("done")
""",
    )


@each_backend
def test_a_collector_that_runs_while_values_are_built_may_call_the_cache(backend: Any) -> None:
    check(
        backend,
        """
class Cycle:
    def __init__(self): self.me = self
    def __del__(self):
        calls.append("__del__")
        cache.set("from the collector".replace(" ", "-"), {"a": [1], "b": {"a": 2}})
        assert cache.get("big")["a"]["key"] == [0]
cache.set("big", {"a": {"key": [0]}, "rest": [{"key": [n], "b": (n, [n])} for n in range(300)]})
gc.set_threshold(1, 1, 1)
for _ in range(100):
    Cycle()
    assert len(cache.get("big")["rest"]) == 300
gc.set_threshold(700, 10, 10)
assert len(calls) > 50
print("done")
""",
    )


@each_backend
def test_a_dict_that_changes_while_it_is_stored_is_an_error_as_in_django(backend: Any) -> None:
    check(
        backend,
        f"""
collects = {backend.collects}
class Value:
    def __reduce__(self):
        data["new"] = 1
        return str, ()
data = {{"a": Value(), "b": 2}}
if collects:
    assert cache.set_many(data) == [] and cache.get_many(["a", "b", "new"]) == {{"a": "", "b": 2}}
for verb in (cache.set_many, lambda data: cache.set("k", data))[collects:]:
    data.pop("new", None)
    try:
        verb(data)
    except RuntimeError as error:
        assert "changed size during iteration" in str(error), error
    else:
        raise AssertionError("no error")
assert cache.get_or_set("k", 1) == 1
print("done")
""",
    )
