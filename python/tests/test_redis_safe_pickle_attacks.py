"""What a restricted unpickler must not do, whatever a pickle says."""

from __future__ import annotations

import collections
import contextlib
import copyreg
import datetime
import os
import pickle
import sys
import uuid
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
from django.utils.safestring import SafeString
from hotclub.django.safe_pickle import SafePickle
from hotclub.errors import CacheDecodeError

from redis_values import DATE
from safe_shapes import (  # noqa: F401
    ALL_OWN,
    OF_PAGES,
    OWN,
    THE_POINT,
    Again,
    Bomb,
    Color,
    Point,
    _own_module,
    a_function,
    calls,
)

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
