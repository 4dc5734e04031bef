"""The restricted unpickler: what it reads, and pickles that try to do more than hold data."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import copyreg
import datetime
import decimal
import enum
import fractions
import ipaddress
import os
import pickle
import sys
import types
import uuid
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, JsonResponse
from django.test import Client, override_settings
from django.utils.safestring import SafeString
from hotclub.django.codecs import NotDecodable
from hotclub.django.safe_pickle import HARMLESS, SafePickle, why_not
from hotclub.errors import CacheDecodeError

import pages
from packages import need_package
from redis_values import COMMON, DATE, codec, options_of, same
from servers import RedisServer

KEY = "a key of sixteen"
UTC, BERLIN = datetime.timezone.utc, zoneinfo.ZoneInfo("UTC")  # noqa: UP017
#: What ``cache_page`` stores.
OF_PAGES = ["django.http.response.*", "http.cookies.*"]
OF_PAGES_EXACTLY = [
    "django.http.response.HttpResponse",
    "django.http.response.ResponseHeaders",
    "http.cookies.Morsel",
    "http.cookies.SimpleCookie",
]

HARMLESS_VALUES = [
    *COMMON, b"", b"ab", b"\x80" * 70_000, bytearray(b"ab"), (), (1, "a"), {1}, frozenset({1}), {1: 2}, 1j,
    range(3), slice(1, 2), DATE, DATE.replace(tzinfo=UTC), DATE.replace(tzinfo=BERLIN), DATE.date(),
    DATE.time(), datetime.timedelta(1), datetime.timezone(datetime.timedelta(hours=1), "X"), BERLIN,
    decimal.Decimal("1.10"), fractions.Fraction(1, 3), uuid.UUID(int=5), SafeString("<b>"),
    collections.OrderedDict(a=1), collections.defaultdict(list, {1: [2]}), collections.deque([1], 3),
    collections.Counter("abb"), ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1%eth0"),
    ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("::1/64"),
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", HARMLESS_VALUES, ids=lambda value: repr(value)[:30])
def test_harmless_values_of_every_protocol_are_read(value: Any, protocol: int) -> None:
    try:
        data = pickle.dumps(value, protocol)
    except RecursionError:
        return  # pickle itself cannot write it
    assert same(SafePickle().loads(data), value)
    # Beside something that must be read with care.
    both = SafePickle().loads(pickle.dumps([value, uuid.UUID(int=1), value], protocol))
    assert same(both[0], value)
    assert both[0] is both[2] or type(value) in (int, float, bool, type(None))


def test_shared_and_cyclic_objects_survive() -> None:
    for more in ([], [uuid.UUID(int=1)]):
        cycle: list[Any] = [*more]
        cycle += [cycle, {"self": cycle}]
        found = SafePickle().loads(pickle.dumps(cycle))
        assert found[-2] is found[-1]["self"] is found


def test_every_harmless_name_can_be_found() -> None:
    for module, names in HARMLESS.items():
        for name in names:
            assert SafePickle().find(module, name).__name__ == name


#: What was called that should not have been.
calls: list[Any] = []


class Color(enum.Enum):
    RED = 1


class Point:
    """A class of the site's own."""

    def __init__(self, x: int = 0) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and vars(self) == vars(other)

    def __call__(self, *arguments: Any) -> Any:
        calls.append(arguments)


class Slotted:
    __slots__ = ("x",)


class Stated(Point):
    def __getstate__(self) -> Any:
        return [self.x]

    def __setstate__(self, state: Any) -> None:
        self.x = state[0]


class Chain(list[Any]):
    """A list with attributes."""


class Meta(type):
    pass


class Outer:
    class Inner:
        pass


def a_function() -> str:
    return "called"


OWN = "own_shapes"
THE_POINT = Point(1)


@pytest.fixture(autouse=True)
def _own_module() -> Iterator[None]:
    """Puts the classes above into a module that can be imported by name."""
    module = types.ModuleType(OWN)
    given = (Color, Point, Slotted, Stated, Chain, Meta, Outer, Outer.Inner, a_function)
    for one in given:
        one.__module__ = OWN
        setattr(module, one.__name__, one)
    module.THE_POINT = THE_POINT  # type: ignore[attr-defined]
    module.os = os  # type: ignore[attr-defined]
    module.Borrowed = collections.ChainMap  # type: ignore[attr-defined]
    del module.Inner
    below = types.ModuleType(f"{OWN}.below")
    sys.modules |= {OWN: module, below.__name__: below}
    yield
    del sys.modules[OWN], sys.modules[below.__name__]


ALL_OWN = SafePickle(
    f"{OWN}.{name}"
    for name in ("Color", "Point", "Slotted", "Stated", "Chain", "a_function", "THE_POINT")
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_named_classes_are_read_whatever_way_they_are_pickled(protocol: int) -> None:
    slotted = Slotted()
    chain = Chain([1, 2])
    chain.name = "x"  # type: ignore[attr-defined]
    for value in (Color.RED, Point(3), Stated(4), [Point(1), Point(2)], chain, Point):
        assert same(ALL_OWN.loads(pickle.dumps(value, protocol)), value), value
    assert vars(ALL_OWN.loads(pickle.dumps(chain, protocol))) == {"name": "x"}
    assert ALL_OWN.loads(pickle.dumps(Color.RED, protocol)) is Color.RED
    if protocol > 1:
        slotted.x = 5
        assert ALL_OWN.loads(pickle.dumps(slotted, protocol)).x == 5


def test_a_name_must_be_given_exactly() -> None:
    data = pickle.dumps(Point(3))
    assert SafePickle([f"{OWN}.Point"]).loads(data) == Point(3)
    for given in ([], [f"{OWN}.Poin"], [f"{OWN}.Points"], [f"{OWN}.Stated"], ["other.Point"]):
        with pytest.raises(
            CacheDecodeError, match=r"SAFE_PICKLE does not allow 'own_shapes\.Point'"
        ):
            SafePickle(given).loads(data)


def test_a_class_within_a_class_is_named_in_full_and_never_by_a_pattern() -> None:
    data = pickle.dumps(Outer.Inner())
    assert type(SafePickle([f"{OWN}.Outer.Inner"]).loads(data)) is Outer.Inner
    for given in ([f"{OWN}.Outer"], ["own_shapes.*"]):
        with pytest.raises(CacheDecodeError, match="does not allow"):
            SafePickle(given).loads(data)


def test_a_pattern_means_the_classes_that_are_defined_there() -> None:
    safe = SafePickle([f"{OWN}.*"])
    assert safe.find(OWN, "Point") is Point
    for name in ("os", "Borrowed", "Meta", "a_function", "missing", "Outer.Inner", "os.system"):
        with pytest.raises(CacheDecodeError):
            safe.find(OWN, name)
    with pytest.raises(CacheDecodeError):
        safe.find("own_shapes_too", "Point")
    with pytest.raises(CacheDecodeError):
        SafePickle(["django.http.response.*"]).find("django.http.request", "HttpRequest")
    assert SafePickle(["django.http.*"]).find("django.http.response", "HttpResponse")


@pytest.mark.parametrize(
    "path",
    [
        "*", "django.*", "os.*", "builtins.*", "Point", "", ".", "a..b", "a.b.*.c", "a.b*", "a.*.b", "**",
        "builtins.eval", "builtins.getattr", "builtins.type", "builtins.object.__subclasses__",
        "os.system", "posix.system", "subprocess.Popen", "functools.partial", "operator.attrgetter",
        "importlib.import_module", "pickle.loads", "copyreg._reconstructor", "_codecs.encode", "sys.modules",
        "a b.c", "os.path.join",
    ],
)  # fmt: skip
def test_names_that_would_open_everything_are_refused_in_the_settings(path: str) -> None:
    assert why_not(path)
    with pytest.raises(ImproperlyConfigured, match="SAFE_PICKLE"):
        codec(SAFE_PICKLE=["shop.models.Order", path])


def test_names_of_a_site_are_taken() -> None:
    for path in (*OF_PAGES, *OF_PAGES_EXACTLY, "builtins.ValueError", "shop.Order", "a.b.C.D"):
        assert why_not(path) is None, path
    error = SafePickle(["builtins.ValueError"]).loads(pickle.dumps(ValueError("x")))
    assert same(error.args, ("x",))


# Attacks. Each is a pickle, written by hand where pickle would not write it.


def named(module: str, name: str) -> bytes:
    """STACK_GLOBAL: both as text, dots included."""
    parts = (b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + b"".join(parts) + b"\x93"


def old(module: str, name: str) -> bytes:
    """GLOBAL of protocols 0 to 3."""
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


FORBIDDEN = [
    ("os", "system"), ("posix", "system"), ("nt", "system"), ("os", "mkdir"), ("builtins", "eval"),
    ("builtins", "exec"), ("builtins", "compile"), ("builtins", "open"), ("builtins", "__import__"),
    ("builtins", "type"), ("builtins", "super"), ("builtins", "map"), ("builtins", "setattr"),
    ("builtins", "delattr"), ("builtins", "vars"), ("builtins", "globals"), ("builtins", "breakpoint"),
    ("builtins", "memoryview"), ("builtins", "property"), ("builtins", "classmethod"), ("builtins", "iter"),
    ("__builtin__", "eval"), ("__builtin__", "apply"), ("__builtin__", "execfile"),
    ("exceptions", "Exception"),
    ("subprocess", "Popen"), ("subprocess", "check_output"), ("commands", "getoutput"),
    ("functools", "partial"), ("functools", "reduce"), ("operator", "attrgetter"), ("operator", "itemgetter"),
    ("operator", "methodcaller"), ("operator", "call"), ("_operator", "attrgetter"),
    ("pickle", "loads"), ("_pickle", "loads"), ("pickle", "Unpickler"), ("copyreg", "pickle"),
    ("copyreg", "add_extension"), ("copyreg", "constructor"), ("copyreg", "__newobj_ex__"),
    ("importlib", "import_module"), ("runpy", "run_module"), ("shutil", "rmtree"), ("socket", "socket"),
    ("codecs", "decode"), ("_codecs", "decode"), ("_codecs", "register"), ("types", "FunctionType"),
    ("types", "CodeType"), ("builtins", "function"), ("sys", "modules"), ("sys", "exit"),
    ("tempfile", "TemporaryFile"), ("pathlib", "Path"), ("collections", "namedtuple"),
    ("collections", "ChainMap"), ("collections", "UserDict"), ("enum", "Enum"), ("uuid", "getnode"),
    ("uuid", "os"), ("uuid", "SafeUUID"), ("decimal", "setcontext"), ("decimal", "Context"),
    ("zoneinfo", "reset_tzpath"),
    ("fractions", "sys"), ("ipaddress", "functools"), ("datetime", "sys"), ("datetime", "tzinfo"),
    ("django.utils.functional", "_lazy_proxy_unpickle"), ("django.utils.safestring", "wraps"),
    ("django.utils.safestring", "mark_safe"), ("django.http.response", "os"),
    ("django.http.response", "HttpResponse"), ("django.http.response", "FileResponse"),
    ("django.db.models.base", "model_unpickle"), ("http.cookies", "re"),
    # Ways from an allowed name to others.
    ("builtins", "object.__subclasses__"), ("builtins", "str.format"), ("builtins", "dict.__class__"),
    ("datetime", "datetime.fromtimestamp"), ("datetime", "datetime.__class__"), ("uuid", "UUID.__init__"),
    ("uuid", "UUID.__init__.__globals__"), ("collections", "OrderedDict.fromkeys"), ("os", "path.os.system"),
    ("uuid", "os.system"), ("zoneinfo", "ZoneInfo.from_file"), ("zoneinfo", "ZoneInfo._unpickle"),
    ("builtins", ""), ("", "eval"), ("", ""), ("builtins.object", "__subclasses__"), ("builtins", "object."),
    ("__main__", "eval"), ("hotclub.django.safe_pickle", "_zone"), ("hotclub.django.codecs", "import_string"),
]  # fmt: skip


@pytest.mark.parametrize("way", [old, named], ids=["GLOBAL", "STACK_GLOBAL"])
@pytest.mark.parametrize(
    ("module", "name"), FORBIDDEN, ids=[f"{module}.{name}" for module, name in FORBIDDEN]
)
def test_what_is_not_on_the_list_is_refused_by_name(module: str, name: str, way: Any) -> None:
    if way is old and not (module and name):
        return  # a line of GLOBAL is never empty
    for data in (way(module, name) + b".", call(way(module, name), text("x")) + b"."):
        with pytest.raises(CacheDecodeError, match="SAFE_PICKLE does not allow") as caught:
            SafePickle().loads(data)
        assert f"{module}.{name}" in str(caught.value)


def test_nothing_is_imported_that_is_not_allowed() -> None:
    assert not {"this", "antigravity"} & sys.modules.keys()
    for module in ("this", "antigravity", "own_shapes.below.this"):
        for safe in (
            SafePickle(),
            SafePickle(["own_shapes.below.*"]),
            SafePickle(["this_too.x.*"]),
        ):
            with pytest.raises(CacheDecodeError):
                safe.loads(named(module, "s") + b".")
    assert not {"this", "antigravity"} & sys.modules.keys()


class Bomb:
    """Makes a folder when it is unpickled, in one of several ways."""

    def __init__(self, reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return tuple(iter(one.many) if isinstance(one, Again) else one for one in self.reduced)


class Again:
    """Many things to go over, more than once."""

    def __init__(self, many: list[Any]) -> None:
        self.many = many


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bombs_do_not_go_off(tmp_path: Path, protocol: int) -> None:
    path = str(tmp_path / "bomb")
    ways: list[Any] = [
        (os.mkdir, (path,)),
        (os.system, (f"mkdir {path}",)),
        (eval, (f"__import__('os').mkdir({path!r})",)),
        (exec, (f"import os; os.mkdir({path!r})",)),
        (getattr, (Bomb((__import__, ("os",))), "mkdir")),
        (getattr, (zoneinfo.ZoneInfo, "no_cache")),
        (map, (os.mkdir, [path])),
        (collections.deque, (Bomb((map, (os.mkdir, [path]))),)),
        (collections.defaultdict, (os.getcwd,)),
        (list, (), None, Again([Bomb((os.mkdir, (path,)))])),
        (dict, (), None, None, Again([("k", Bomb((os.mkdir, (path,))))])),
        (uuid.UUID, (), {"int": Bomb((os.mkdir, (path,)))}),
        (type, ("Made", (object,), {})),
    ]
    for way in ways:
        for value in (Bomb(way), {"k": [Bomb(way)]}, [uuid.UUID(int=1), Bomb(way)]):
            data = pickle.dumps(value, protocol)
            for safe in (SafePickle(), SafePickle(OF_PAGES)):
                with pytest.raises(CacheDecodeError):
                    safe.loads(data)
    assert not os.path.exists(path)
    pickle.loads(pickle.dumps(Bomb(ways[0]), protocol))
    assert os.path.exists(path), "the bomb is a real one"


UUID = named("uuid", "UUID")
#: Classes and functions that a pickle may get hold of, and that other code uses too.
COMMON_GOODS = {
    "class": UUID,
    "class of C": named("datetime", "datetime"),
    "subclass": named("django.utils.safestring", "SafeString"),
    "own class": named(OWN, "Point"),
    "function": named(OWN, "a_function"),
    "stand-in": named("_codecs", "encode"),
    "getattr": named("builtins", "getattr"),
    "zone": call(named("builtins", "getattr"), named("zoneinfo", "ZoneInfo"), text("_unpickle")),
    "enum": call(named(OWN, "Color"), b"K\x01"),
    "enum class": named(OWN, "Color"),
    "class of Python": named("collections", "Counter"),
    "object": named(OWN, "THE_POINT"),
}


SHARED: list[Any] = [
    uuid.UUID, Point, THE_POINT, SafeString, Color, Color.RED, collections.Counter, datetime.datetime,
]  # fmt: skip


@pytest.mark.parametrize("goods", COMMON_GOODS)
def test_a_pickle_changes_nothing_but_its_own(goods: str) -> None:
    name = text("__str__")
    state = b"}" + name + b"K\x05s"
    before = [dict(vars(one)) for one in SHARED]
    function_before = (a_function.__defaults__, a_function.__code__, dict(vars(a_function)))
    target = b"0".join([COMMON_GOODS[goods] + b"q\x01", b"h\x01"])
    for data in (
        target + state + b"b",  # BUILD with a dict
        target + b"N" + state + b"\x86b",  # BUILD with slots
        target + b"N" + b"}" + text("x") + b"K\x05s" + b"\x86b",
        target + b"N" + b"}" + text("__defaults__") + b"(K\x05ts" + b"\x86b",
        target + name + b"K\x05s",  # SETITEM
        target + b"(" + name + b"K\x05u",  # SETITEMS
        target + b"K\x05a",  # APPEND
        target + b"(K\x05e",  # APPENDS
        target + b"(K\x05\x90",  # ADDITEMS
    ):
        with pytest.raises(CacheDecodeError):
            ALL_OWN.loads(data + b".")
        with pytest.raises(CacheDecodeError):  # also if nothing before asked for care
            ALL_OWN.loads(UUID + data + b".")
    assert [dict(vars(one)) for one in SHARED] == before
    assert (a_function.__defaults__, a_function.__code__, dict(vars(a_function))) == function_before


def test_plain_pickle_does_change_what_others_use() -> None:
    pickle.loads(named(OWN, "Point") + b"N}" + text("x") + b"K\x05s\x86b.")
    assert Point.x == 5  # type: ignore[attr-defined]
    del Point.x  # type: ignore[attr-defined]


def test_a_pickle_calls_only_what_it_found_by_name() -> None:
    point = b")".join([named(OWN, "Point"), b"\x81"])
    for data in (
        call(point, b"K\x05"),  # an instance that can be called
        call(text("x")),
        call(b"]"),
        text("x") + b")\x81",  # NEWOBJ of no class
        point + b")\x81",
        text("x") + b")}\x92",
        named(OWN, "a_function") + b")\x81",
        b"(" + text("x") + b"o",  # OBJ
        b"(" + point + b"o",
        b"(" + named(OWN, "a_function") + b"o",
        # What an object has in its dict is not called either.
        point + b"}" + text("append") + point + b"sb" + b"K\x05a",
        point + b"}" + text("extend") + point + b"sb" + b"(K\x05e",
        point + b"}" + text("add") + point + b"sb" + b"(K\x05\x90",
    ):
        with pytest.raises(CacheDecodeError):
            ALL_OWN.loads(data + b".")
        assert not calls, data
    for data in (named(OWN, "a_function") + b")\x81", named(OWN, "THE_POINT") + b")}\x92"):
        with pytest.raises(CacheDecodeError, match="instances of classes alone"):
            ALL_OWN.loads(data + b".")
    state = point + b"}" + text("__setstate__") + point + b"sb" + b"}b."
    assert (type(ALL_OWN.loads(state)), calls) == (Point, [])
    assert ALL_OWN.loads(call(named(OWN, "a_function")) + b".") == "called"
    assert type(ALL_OWN.loads(b"(iown_shapes\nPoint\n.")) is Point
    assert ALL_OWN.loads(b"(cown_shapes\nPoint\nK\x05o.") == Point(5)


def test_an_object_keeps_its_class() -> None:
    point = named(OWN, "Point") + b")\x81"
    for slots in ("__class__", "__dict__"):
        with pytest.raises(CacheDecodeError, match="may not set"):
            ALL_OWN.loads(point + b"N}" + text(slots) + named(OWN, "Chain") + b"s\x86b.")


def test_stand_ins_do_what_pickle_needs_and_no_more() -> None:
    encode, attribute = old("_codecs", "encode"), old("builtins", "getattr")
    assert SafePickle().loads(call(encode, text("\u00e9"), text("latin1")) + b".") == b"\xe9"
    for arguments in ([text("x"), text("rot13")], [text("x"), text("zlib")], [b"C\x01x", text("latin1")],
                      [text("x")], [text("x"), text("latin1"), text("strict")]):  # fmt: skip
        with pytest.raises(CacheDecodeError):
            SafePickle().loads(call(encode, *arguments) + b".")
    for owner, name in [(UUID, "__init__"), (named("zoneinfo", "ZoneInfo"), "from_file"),
                        (text("x"), "format"), (text("x"), "_unpickle"),
                        (encode, "__globals__")]:  # fmt: skip
        with pytest.raises(CacheDecodeError, match="getattr"):
            SafePickle().loads(call(attribute, owner, text(name)) + b".")
    reconstruct, create = old("copyreg", "_reconstructor"), old("copyreg", "__newobj__")
    base = old("builtins", "object")
    for arguments in ([text("x"), base, b"N"], [base, text("x"), b"N"], [encode, base, b"N"],
                      [old("builtins", "int"), old("builtins", "str"), text("x")]):  # fmt: skip
        with pytest.raises(CacheDecodeError):
            SafePickle().loads(call(reconstruct, *arguments) + b".")
    assert SafePickle().loads(call(create, UUID) + b".").__class__ is uuid.UUID
    with pytest.raises(CacheDecodeError):
        SafePickle().loads(call(create, encode) + b".")
    with pytest.raises(CacheDecodeError):
        SafePickle().loads(call(old("zoneinfo", "ZoneInfo"), text("../../../etc/passwd")) + b".")


def test_persistent_ids_extension_codes_and_foreign_buffers_are_refused() -> None:
    for data in (b"Pid\n.", text("id") + b"Q.", b"\x82\x01.", b"\x83\x01\x00.", b"\x84\x01\x00\x00\x00.",
                 b"\x80\x05\x97.", b"\x80\x05\x97\x98."):  # fmt: skip
        for start in (b"", UUID + b"0"):
            with pytest.raises(CacheDecodeError):
                SafePickle().loads(start + data)


def test_what_other_code_registered_with_copyreg_cannot_be_had() -> None:
    copyreg.add_extension("os", "mkdir", 7)
    try:
        data = pickle.dumps(os.mkdir, 2) if os.mkdir.__module__ == "os" else b"\x82\x07."
        assert pickle.loads(b"\x82\x07.") is os.mkdir  # and now pickle keeps it at hand
        for given in (data, b"\x82\x07.", call(b"\x82\x07", text("x")) + b"."):
            with pytest.raises(CacheDecodeError, match="extension codes"):
                SafePickle().loads(given)
        assert SafePickle().loads(pickle.dumps([1, DATE])) == [1, DATE]
    finally:
        copyreg.remove_extension("os", "mkdir", 7)


@pytest.mark.parametrize(
    "value", [{"k": [1, DATE]}, [uuid.UUID(int=7)] * 2], ids=["quick", "careful"]
)
def test_damaged_pickles_are_errors_of_one_kind(value: Any) -> None:
    data = pickle.dumps(value)
    for length in range(len(data)):
        with pytest.raises(CacheDecodeError):
            SafePickle().loads(data[:length])
    for place in range(len(data)):
        for change in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= change
            if changed[place] in b"pr":  # makes room for billions of values, and finds out then
                continue
            with contextlib.suppress(CacheDecodeError, MemoryError):
                SafePickle().loads(bytes(changed))
    for garbage in (
        b"",
        b".",
        b"0.",
        b"R.",
        b"b.",
        b"(.",
        b"a.",
        b"u.",
        b"\x81.",
        b"\x92.",
        b"e.",
        b"\x90.",
        b"x",
    ):
        for start in (b"", UUID):
            with pytest.raises(CacheDecodeError):
                SafePickle().loads((start + garbage) if garbage != b"." else garbage)


# With the codecs, and through the cache.


def test_every_dialect_that_unpickles_does_so_safely(tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb((os.mkdir, (str(tmp_path / "bomb"),))))
    zlib = options_of("pickle", "zlib")
    makers: list[tuple[dict[str, Any], Any]] = [
        ({}, lambda data: data),
        (options_of("pickle", "identity"), lambda data: data),
        (zlib, lambda data: need_package("zlib").compress(data)),
        ({"READ": ["django", "django-redis"], "DIALECT": "django", **zlib}, lambda data: data),
        ({"SIGNING_KEYS": [KEY]}, codec(SIGNING_KEYS=[KEY]).compressor.compress),
    ]
    for options, wrap in makers:
        for given in (True, [], ["shop.models.Order"]):
            ours = codec(**options, SAFE_PICKLE=given)
            with pytest.raises(CacheDecodeError, match="SAFE_PICKLE does not allow"):
                ours.loads(wrap(bomb))
            for value in (DATE, uuid.UUID(int=1), ["x" * 2000], 42, True, "hi"):
                assert same(ours.loads(ours.dumps(value)), value)
    need_package("ormsgpack")
    ours = codec(DIALECT="vcache", SERIALIZER="pickle", SAFE_PICKLE=True)
    with pytest.raises(NotDecodable):
        ours.loads(b"p" + bomb)
    assert ours.loads(ours.dumps(DATE)) == DATE
    ours = codec(DIALECT="django", READ=["django", "vcache"], SAFE_PICKLE=True)
    with pytest.raises(pickle.UnpicklingError):
        ours.loads(b"p" + bomb)
    assert not (tmp_path / "bomb").exists()


def test_serializers_that_do_not_unpickle_need_no_help_and_ones_own_cannot_be_helped() -> None:
    json = codec(**options_of("json", "identity"), SAFE_PICKLE=True)
    assert json.loads(json.dumps({"a": 1})) == {"a": 1}
    own = "django.core.cache.backends.redis.RedisSerializer"
    for options in ({"serializer": own}, {"SERIALIZER": f"{OWN}.Serializer"}):
        sys.modules[OWN].Serializer = lambda options: pickle  # type: ignore[attr-defined]
        with pytest.raises(ImproperlyConfigured, match="serializer of your own"):
            codec(**options, SAFE_PICKLE=True)


def test_a_serializer_of_ones_own_may_use_the_same_reader(tmp_path: Path) -> None:
    class Own:
        dumps = staticmethod(pickle.dumps)
        loads = SafePickle([f"{OWN}.Point"]).loads

    ours = codec(serializer=Own)
    assert ours.loads(ours.dumps([Point(3)])) == [Point(3)]
    with pytest.raises(CacheDecodeError):
        ours.loads(pickle.dumps(Bomb((os.mkdir, (str(tmp_path / "bomb"),)))))


@pytest.mark.parametrize("value", [None, "django.http.response.*", 5, [5], {"a.b": 1}])
def test_settings_that_say_nothing_are_refused(value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="True, False or a list of dotted paths"):
        codec(SAFE_PICKLE=value)


@pytest.fixture
def site(redis_server: RedisServer, configure: Any) -> Any:
    """``site([...])``: a client of the site, whose cache has this SAFE_PICKLE."""

    def make(allowed: Any, **more: Any) -> Client:
        configure(
            default={
                "BACKEND": "hotclub.django.RedisCache",
                "LOCATION": redis_server.url_db(0),
                "OPTIONS": {"SAFE_PICKLE": allowed, **more},
            }
        )
        pages.calls.clear()
        return Client()

    return make


@pytest.mark.parametrize("allowed", [OF_PAGES, OF_PAGES_EXACTLY], ids=["patterns", "names"])
def test_cache_page_works_with_the_documented_names(site: Any, allowed: list[str]) -> None:
    for more in ({}, {"SIGNING_KEYS": [KEY]}):
        cache.clear() if more else None
        client = site(allowed, **more)
        first, second = client.get("/page"), client.get("/page")
        assert [first.content, second.content] == [b"page 1", b"page 1"]
        assert second["X-Own"] == "kept"


def test_cache_page_without_them_says_what_is_missing(site: Any) -> None:
    client = site(True)
    client.get("/page")
    with pytest.raises(CacheDecodeError, match=r"'django\.http\.response\.HttpResponse'"):
        client.get("/page")
    lenient = site(True, ON_DECODE_ERROR="miss")
    assert [lenient.get("/page").status_code for _ in range(2)] == [200, 200]


def test_responses_keep_their_cookies() -> None:
    safe = SafePickle(OF_PAGES)
    for made in (HttpResponse("x", status=201), JsonResponse({"a": 1})):
        made.set_cookie("name", "value", max_age=5)
        found = safe.loads(pickle.dumps(made))
        assert (type(found), found.status_code) == (type(made), made.status_code)
        assert (found.content, str(found.cookies)) == (made.content, str(made.cookies))
        assert dict(found.headers) == dict(made.headers)


def test_fragments_and_sessions_need_no_names(site: Any, database: Any) -> None:
    client = site(True)
    answers = [client.get("/fragment", {"name": name}).content for name in ("a", "b", "a")]
    assert answers == [b"a 1", b"b 2", b"a 1"]
    with override_settings(
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ):
        client = Client()  # whose middleware is that of now
        assert [client.get("/visits").content for _ in range(3)] == [b"1", b"2", b"3"]


def test_rows_of_a_model_are_read_with_the_documented_names(site: Any) -> None:
    from django.contrib.sessions.models import Session

    site(["django.db.models.base.model_unpickle", "django.db.models.base.ModelState"])
    row = Session(session_key="key", session_data="data")
    cache.set("row", [row])
    assert cache.get("row")[0].session_data == "data"
    assert asyncio.run(cache.aget("row")) == [row]
