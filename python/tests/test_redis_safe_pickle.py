"""The restricted unpickler: what it reads, and pickles that try to do more than hold data."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import ipaddress
import pickle
import uuid
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.safestring import SafeString
from hotclub.django.safe_pickle import HARMLESS, SafePickle, why_not
from hotclub.errors import CacheDecodeError

from redis_values import COMMON, DATE, codec, same
from safe_shapes import (  # noqa: F401
    ALL_OWN,
    BERLIN,
    OF_PAGES,
    OF_PAGES_EXACTLY,
    OWN,
    UTC,
    Chain,
    Color,
    Outer,
    Point,
    Slotted,
    Stated,
    _own_module,
)

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
