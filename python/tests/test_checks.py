"""The system checks: what they find, what they say, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hotclub.django import LocMemCache
from hotclub.django.checks import __doc__ as table
from hotclub.django.checks import check_caches

import programs
from backends import BACKENDS, LOCMEM


class OwnCache(LocMemCache):
    """A site's own class, with an option of its own."""


OWN = f"{__name__}.OwnCache"


@pytest.fixture
def found(configure: Any) -> Any:
    """``found(alias={...})``: id, message and hint of each finding."""

    def check(**aliases: Any) -> list[tuple[str, str, str]]:
        configure(**{name: {"BACKEND": LOCMEM, **alias} for name, alias in aliases.items()})
        return [(message.id, message.msg, message.hint) for message in check_caches()]

    return check


def test_right_settings_have_no_findings(found: Any) -> None:
    assert found(
        page={"OPTIONS": {"MAX_ENTRIES": 1000, "CULL_FREQUENCY": 0}, "TIMEOUT": None},
        bytes={"LOCATION": "b", "OPTIONS": {"MAX_BYTES": "64MiB", "POLICY": "s3-fifo"}},
        both={"LOCATION": "c", "OPTIONS": {"MAX_BYTES": 10**6, "POLICY": "lru", "MAX_ENTRIES": "50"}},
        plain={"TIMEOUT": "60", "VERSION": 2, "KEY_PREFIX": "x"},
    ) == []  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_the_settings_of_these_tests_have_no_findings(found: Any, backend: Any) -> None:
    assert found(default=backend.settings()) == []


ONE_FINDING: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"OPTIONS": {"POLICY": "mru"}}, "E001", ["'lone'", "'POLICY'", '"lru", "s3-fifo"', "'mru'"]),
    (
        {"OPTIONS": {"MAX_BYTES": "64 parsecs"}},
        "E001",
        ["'MAX_BYTES'", "whole number", "'64 parsecs'"],
    ),
    ({"OPTIONS": {"MAX_BYTES": 0}}, "E001", ["'MAX_BYTES'", "above 0", "not 0"]),
    ({"OPTIONS": {"MAX_ENTRIES": float("inf")}}, "E001", ["'MAX_ENTRIES'", "whole number", "inf"]),
    ({"OPTIONS": ["MAX_ENTRIES"]}, "E003", ["'lone'", "OPTIONS", "no dict"]),
    ({"OPTIONS": None}, "E003", ["OPTIONS", "None"]),
    ({"BACKEND": "hotclub.django.LocmemCache"}, "E004", ["mean 'hotclub.django.LocMemCache'"]),
    ({"BACKEND": "hotclub.nowhere"}, "E004", ["hotclub.nowhere", "cannot be imported"]),
    (
        {"OPTIONS": {"MAX_ENTRYS": 5}},
        "W001",
        ["'lone'", "'MAX_ENTRYS'", "mean MAX_ENTRIES?", "POLICY"],
    ),
    ({"OPTIONS": {"max_bytes": 5}}, "W001", ["'max_bytes'", "mean MAX_BYTES?"]),
    ({"OPTIONS": {"serializer": 5}}, "W001", ["'serializer'", "It has: CULL_FREQUENCY, MAX_BYTES"]),
    ({"OPTIONS": {"MAX_ENTRIES": "many"}}, "W002", ["'MAX_ENTRIES'", "'many'", "Django takes 300"]),
    ({"OPTIONS": {"MAX_ENTRIES": None}}, "W002", ["None", "Django takes 300"]),
    ({"OPTIONS": {"CULL_FREQUENCY": "often"}}, "W002", ["'CULL_FREQUENCY'", "'often'", "takes 3 "]),
    ({"OPTIONS": {"CULL_FREQUENCY": 2.5}}, "W002", ["2.5", "takes 2 "]),
    ({"TIMEOUT": "soon"}, "W002", ["'TIMEOUT'", "'soon'", "takes 300 "]),
    ({"TIMEOUT": 0.5}, "W002", ["'TIMEOUT'", "0.5", "takes 0 "]),
    ({"MAX_BYTES": "64MiB"}, "W003", ["'lone'", "'MAX_BYTES'", "Move MAX_BYTES into OPTIONS"]),
    (
        {"OPTIONS": {"MAX_BYTES": 10**6, "CULL_FREQUENCY": 2}},
        "W004",
        ["'CULL_FREQUENCY'", "no effect"],
    ),
    (
        {"OPTIONS": {"MAX_BYTES": 10**6, "CULL_FREQUENCY": 2, "POLICY": "lru"}},
        "W004",
        ["no effect"],
    ),
    ({"BACKEND": OWN, "OPTIONS": {"MAX_BYTE": 5}}, "W001", ["OwnCache", "mean MAX_BYTES?"]),
    ({"BACKEND": OWN, "OPTIONS": {"POLICY": 1}}, "E001", ["'POLICY'"]),
]


@pytest.mark.parametrize(
    ("alias", "name", "parts"), ONE_FINDING, ids=[str(row[0]) for row in ONE_FINDING]
)
def test_a_mistake_is_one_finding_that_names_alias_option_and_cause(
    found: Any, alias: dict[str, Any], name: str, parts: list[str]
) -> None:
    (finding,) = found(lone=alias)
    assert finding[0] == f"hotclub.{name}"
    assert "CACHES['lone']" in finding[1]
    for part in parts:
        assert part in f"{finding[1]} {finding[2]}"


@pytest.mark.parametrize(
    "options",
    [{"MAX_BYTES": 10**6}, {"POLICY": "s3-fifo"}, {"POLICY": "s3-fifo", "MAX_ENTRIES": 5}],
    ids=str,
)
def test_other_limits_at_the_same_location_are_an_error(
    found: Any, configure: Any, options: dict[str, Any]
) -> None:
    aliases = {"a": {"LOCATION": "same"}, "b": {"LOCATION": "same", "OPTIONS": options}}
    ((name, message, hint),) = found(**aliases)
    assert name == "hotclub.E002"
    for part in ("'a'", "'b'", "'same'", "POLICY lru", "POLICY s3-fifo"):
        assert part in message
    assert "LOCATION each" in hint
    caches = configure(**{name: {"BACKEND": LOCMEM, **alias} for name, alias in aliases.items()})
    caches["a"].get("k")
    with pytest.raises(ImproperlyConfigured, match="in use"):
        caches["b"].get("k")


def test_limits_that_belong_to_the_alias_are_no_conflict(found: Any) -> None:
    few, lru = {"OPTIONS": {"MAX_ENTRIES": 5}}, {"OPTIONS": {"POLICY": "lru"}}
    same = {"LOCATION": "same"}
    assert found(a=same | few, b=same, c=same | lru) == []


def test_what_is_not_ours_is_left_alone(found: Any) -> None:
    django = "django.core.cache.backends.locmem.LocMemCache"
    assert found(
        theirs={"BACKEND": django, "OPTIONS": {"POLICY": "mru"}},
        missing={"BACKEND": "no.such.Cache", "OPTIONS": None},
        dummy={"BACKEND": "hotclub.django.DummyCache", "OPTIONS": {"SERIALIZER": "x", "MAX_BYTES": 0}},
        own={"BACKEND": OWN, "OPTIONS": {"REGION": "eu"}},
    ) == []  # fmt: skip


def test_the_docstring_lists_every_id() -> None:
    for name in {row[1] for row in ONE_FINDING} | {"E002"}:
        assert f"hotclub.{name}  " in str(table)


def test_the_app_registers_the_checks() -> None:
    answer = programs.run(
        """
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=["hotclub.django"],
            CACHES={"default": {"BACKEND": "hotclub.django.LocMemCache", "OPTIONS": {"MAX_ENTRYS": 1}}},
        )
        import django
        django.setup()
        from django.apps import apps
        from django.core.checks import run_checks
        app = apps.get_app_config("hotclub")
        print(app.name, type(app).__name__, [message.id for message in run_checks(tags=["caches"])])
        """
    )
    assert answer == "hotclub.django HotclubConfig ['hotclub.W001']\n"
