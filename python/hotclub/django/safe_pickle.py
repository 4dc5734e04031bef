"""Pickles of harmless classes alone, for those who do not trust what lies on the server.

A pickle is a program: it may call whatever can be imported. Here it may call a short list of classes, and
those that the settings name. Pickles of built-in types and of classes that nobody can change are read by
pickle's C code; at the first other class the value is read again by pickle's Python code, whose steps are
looked at one by one: only what was found by name is called, and only what the pickle itself made is changed.
"""

from __future__ import annotations

import builtins
import collections
import copyreg
import datetime
import decimal
import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterable
from enum import Enum
from importlib import import_module
from io import BytesIO
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, ClassVar, NoReturn
from zoneinfo import ZoneInfo

from hotclub.errors import CacheDecodeError

__all__ = ["HARMLESS", "SafePickle", "why_not"]

#: What can always be read, by module. Exact names: subclasses are others.
HARMLESS: dict[str, tuple[str, ...]] = {
    "builtins": (
        "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object",
        "range", "set", "slice", "str", "tuple",
    ),
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque"),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "django.utils.safestring": ("SafeString",),
    "fractions": ("Fraction",),
    "ipaddress": (
        "IPv4Address", "IPv4Interface", "IPv4Network", "IPv6Address", "IPv6Interface", "IPv6Network",
    ),
    "uuid": ("UUID",),
    "zoneinfo": ("ZoneInfo",),
}  # fmt: skip

#: Modules of which nothing may be named in SAFE_PICKLE: with them a pickle can do anything.
_OMNIPOTENT = frozenset(
    (
        "_codecs", "_io", "_operator", "_pickle", "_posixsubprocess", "_socket", "asyncio", "code",
        "codecs", "codeop", "commands", "copyreg", "ctypes", "functools", "gc", "importlib",
        "inspect", "io", "marshal", "multiprocessing", "nt", "operator", "os", "pickle", "pkgutil",
        "posix", "pty", "runpy", "shutil", "site", "socket", "subprocess", "sys",
    )
)  # fmt: skip


def why_not(path: str) -> str | None:
    """Why a dotted path cannot stand in SAFE_PICKLE; ``None`` if it can."""
    parts = path.split(".")
    if parts[-1] == "*":
        parts.pop()
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return "it must be package.module.Class, or package.module.* for all classes that are defined there"
    if parts[0] in _OMNIPOTENT:
        return f"with {parts[0]} a pickle can do anything"
    if parts[0] == "builtins":
        found = getattr(builtins, parts[1], None)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            return "of the built-in names only exceptions may be added"
    return None


class SafePickle:
    """Reads pickles of protocols 0 to 5 that hold harmless classes, and those named in ``more``.

    ``more`` has dotted paths of classes or functions, exact, or ``package.module.*`` for the classes that are
    defined in a module or below it. Anything else is a ``CacheDecodeError`` that says what was asked for.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        more = tuple(more)
        self._names = frozenset(path for path in more if not path.endswith(".*"))
        self._packages = tuple(path[:-1] for path in more if path.endswith(".*"))
        self._found: dict[tuple[str, str], Any] = {}

    def loads(self, data: bytes) -> Any:
        """The value of a pickle."""
        try:
            # C code would hand out what other code registered with copyreg, and not ask.
            if not copyreg._inverted_registry:  # type: ignore[attr-defined]
                try:
                    return _Quick(data, self).load()
                except _NeedsCare:
                    pass
            return _Careful(data, self).load()
        except (CacheDecodeError, MemoryError):
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise CacheDecodeError(f"redis: cannot decode a value: {why}") from error

    def find(self, module: str, name: str) -> Any:
        """What a name stands for. ``CacheDecodeError`` if it is not allowed, or not there."""
        if (known := self._found.get((module, name))) is not None:
            return known
        for asked in ((module, name), _of_python_3(module, name)):
            if self._is_allowed(*asked):
                found = self._found[module, name] = self._import(*asked)
                return found
        _refuse(f"SAFE_PICKLE does not allow {_shown(module, name)}")

    def _is_allowed(self, module: str, name: str) -> bool:
        path = f"{module}.{name}"
        return (
            (module, name) in _STAND_INS
            or name in HARMLESS.get(module, ())
            or path in self._names
            or ("." not in name and path.startswith(self._packages))
        )

    def _import(self, module: str, name: str) -> Any:
        if (stand_in := _STAND_INS.get((module, name))) is not None:
            return stand_in
        try:
            found = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise CacheDecodeError(f"redis: cannot decode a value: {error}") from error
        if name in HARMLESS.get(module, ()) or (
            f"{module}.{name}" in self._names and not isinstance(found, ModuleType)
        ):
            return found
        # A module also holds what it imported: `os`, `partial`, ...
        if not isinstance(found, type) or issubclass(found, type) or found.__module__ != module:
            _refuse(f"SAFE_PICKLE allows no {_shown(module, name)}: no class that is defined there")
        return found


class _NeedsCare(Exception):
    """The pickle names something that a pickle could change."""


class _Quick(pickle.Unpickler):
    """In C: classes that cannot be changed, and whose instances cannot be called."""

    def __init__(self, data: bytes, safe: SafePickle) -> None:
        super().__init__(BytesIO(data))
        self._safe = safe

    def find_class(self, module: str, name: str) -> Any:
        """See ``pickle.Unpickler``."""
        if (known := _UNCHANGING.get((module, name))) is not None:
            return known
        self._safe.find(module, name)
        raise _NeedsCare


class _Careful(pickle._Unpickler):
    """In Python, so that each step that calls or changes something can be refused."""

    # What the base class has beside its types.
    stack: list[Any]
    metastack: list[list[Any]]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes, safe: SafePickle) -> None:
        super().__init__(BytesIO(data))
        self._safe = safe
        #: By id: what names stood for.
        self._found: dict[int, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        """See ``pickle.Unpickler``."""
        found = self._safe.find(module, name)
        self._found[id(found)] = found
        return found

    def get_extension(self, code: int) -> NoReturn:
        """Numbers instead of names, which copyreg knows."""
        _refuse("SAFE_PICKLE does not allow the extension codes of copyreg")

    def _may_call(self, function: Any) -> None:
        if id(function) not in self._found and function is not _zone:
            _refuse(f"a pickle may not call {type(function).__name__!r} objects")

    def _may_create(self, made: Any) -> None:
        self._may_call(made)
        if not isinstance(made, type):
            _refuse("a pickle may create instances of classes alone")

    def _may_change(self, target: Any) -> None:
        if id(target) in self._found or isinstance(target, _NOT_ONES_OWN):
            _refuse(f"a pickle may not change {getattr(target, '__name__', target)!r}")

    def load_reduce(self) -> None:
        self._may_call(self.stack[-2])
        function = self.stack[-2]
        arguments = self.stack.pop()
        self.stack[-1] = function(*arguments)

    def load_newobj(self) -> None:
        self._may_create(self.stack[-2])
        arguments = self.stack.pop()
        self.stack[-1] = self.stack[-1].__new__(self.stack[-1], *arguments)

    def load_newobj_ex(self) -> None:
        self._may_create(self.stack[-3])
        keywords, arguments = self.stack.pop(), self.stack.pop()
        self.stack[-1] = self.stack[-1].__new__(self.stack[-1], *arguments, **keywords)

    def _instantiate(self, made: Any, arguments: list[Any]) -> None:
        """Protocols 0 and 1."""
        self._may_create(made)
        self.stack.append(made(*arguments) if arguments else made.__new__(made))

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        self._may_change(target)
        if (set_state := getattr(type(target), "__setstate__", None)) is not None:
            set_state(target, state)
            return
        slots: Any = None
        if isinstance(state, tuple) and len(state) == 2:
            state, slots = state
        for name, value in (state or {}).items():
            target.__dict__[sys.intern(name) if type(name) is str else name] = value
        for name, value in (slots or {}).items():
            if name.startswith("__"):  # `__class__`
                _refuse(f"a pickle may not set {name[:50]!r}")
            setattr(target, name, value)

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.NEWOBJ_EX[0]: load_newobj_ex,
        pickle.BUILD[0]: load_build,
    }


def _watch(code: bytes, below: int) -> None:
    """Look at the target of a step, which is ``below`` so many values, or (0) below the last mark."""
    step = pickle._Unpickler.dispatch[code[0]]

    def watched(self: _Careful) -> None:
        target = self.stack[-1 - below] if below else self.metastack[-1][-1]
        self._may_change(target)
        if not _CALLED.isdisjoint(getattr(target, "__dict__", ())):
            _refuse("a pickle may not call what it put into an object")
        step(self)  # type: ignore[arg-type]

    _Careful.dispatch[code[0]] = watched


#: What these steps call by name.
_CALLED = frozenset(("add", "append", "extend"))
for _code, _below in (
    (pickle.APPEND, 1),
    (pickle.SETITEM, 2),
    (pickle.APPENDS, 0),
    (pickle.SETITEMS, 0),
    (pickle.ADDITEMS, 0),
):
    _watch(_code, _below)

#: What is not the pickle's own, however it came by it.
_NOT_ONES_OWN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Enum)


def _reconstruct(made: Any, base: Any, state: Any) -> Any:
    """``copyreg._reconstructor``, which protocols 0 and 1 need."""
    if not (isinstance(made, type) and isinstance(base, type) and issubclass(made, base)):
        _refuse("copyreg._reconstructor was asked for no class")
    return copyreg._reconstructor(made, base, state)  # type: ignore[attr-defined]


def _create(made: Any, *arguments: Any) -> Any:
    """``copyreg.__newobj__``, the same."""
    if not isinstance(made, type):
        _refuse("copyreg.__newobj__ was asked for no class")
    return made.__new__(made, *arguments)


def _encode(text: Any, encoding: Any) -> bytes:
    """``_codecs.encode``, by which protocols 0 to 2 write bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        _refuse("_codecs.encode was asked for more than latin1")
    return text.encode("latin-1")


def _attribute(owner: Any, name: Any) -> Any:
    """``getattr``, by which a zone's pickle comes to ``ZoneInfo._unpickle``."""
    if owner is not ZoneInfo or name != "_unpickle":
        _refuse("SAFE_PICKLE does not allow 'builtins.getattr'")
    return _zone


def _zone(key: str, from_cache: int) -> ZoneInfo:
    return ZoneInfo(key) if from_cache else ZoneInfo.no_cache(key)


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("copyreg", "_reconstructor"): _reconstruct,
    ("copyreg", "__newobj__"): _create,
    ("_codecs", "encode"): _encode,
    ("builtins", "getattr"): _attribute,
}

_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
_CANDIDATES = {
    (module.__name__, name): getattr(module, name)
    for module in (builtins, collections, datetime, decimal)
    for name in HARMLESS[module.__name__]
}
_UNCHANGING = {
    asked: found for asked, found in _CANDIDATES.items() if found.__flags__ & _IMMUTABLE_TYPE
}


def _of_python_3(module: str, name: str) -> tuple[str, str]:
    """Protocols 0 to 2 have the names of Python 2."""
    return NAME_MAPPING.get((module, name)) or (IMPORT_MAPPING.get(module, module), name)


def _shown(module: str, name: str) -> str:
    return repr(f"{module}.{name}"[:200])


def _refuse(why: str) -> NoReturn:
    raise CacheDecodeError(f"redis: cannot decode a value: {why}")
