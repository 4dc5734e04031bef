"""The system checks: what they find, what they say, and what they leave alone."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hotclub
import pytest
from django.core.cache import cache
from django.core.checks import caches as djangos
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hotclub.django import DatabaseCache, FileBasedCache, LocMemCache, RedisCache
from hotclub.django.checks import __doc__ as the_table
from hotclub.django.checks import check_caches
from hotclub.django.redis_options.names import ACCEPTED, IGNORED, REFUSED

import programs
from backends import BACKENDS, FILES, LOCMEM
from certificates import certificates
from redis_settings import SECRET, URL


def memcached(**settings: Any) -> dict[str, Any]:
    """An alias of Memcached."""
    return {"BACKEND": "hotclub.django.PyMemcacheCache", "LOCATION": "127.0.0.1", **settings}


def files(**more: Any) -> dict[str, Any]:
    """An alias of files. No directory is made."""
    return {"BACKEND": FILES, "LOCATION": "/no/such/place", **more}


def table(**more: Any) -> dict[str, Any]:
    """An alias of a table. No database is asked."""
    return {"BACKEND": "hotclub.django.DatabaseCache", "LOCATION": "cached", **more}


def lite(**more: Any) -> dict[str, Any]:
    """An alias of the embedded store. No file is made."""
    return {"BACKEND": "hotclub.django.SQLiteCache", "LOCATION": "/no/such/cache.db", **more}


class OwnCache(LocMemCache):
    """A site's own class, with an option of its own."""


class OwnFileBasedCache(FileBasedCache):
    """The same, over files."""


class OwnDatabaseCache(DatabaseCache):
    """The same, over a table."""


class OwnRedisCache(RedisCache):
    """The same, over Redis."""


class OwnSerializer:
    """Reads options of its own."""

    def __init__(self, options: Any) -> None: ...
    def dumps(self, value: Any) -> bytes: ...
    def loads(self, value: bytes) -> Any: ...


OWN = f"{__name__}.OwnCache"
OWN_FILES = f"{__name__}.OwnFileBasedCache"
OWN_TABLE = f"{__name__}.OwnDatabaseCache"
OWN_REDIS = f"{__name__}.OwnRedisCache"
REDIS = "hotclub.django.RedisCache"
SERIALIZER = {"SERIALIZER": f"{__name__}.OwnSerializer"}


def redis(**more: Any) -> dict[str, Any]:
    """An alias in Redis. Nothing is connected."""
    return {"BACKEND": REDIS, "LOCATION": URL, **more}


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
        files=files(OPTIONS={"MAX_ENTRIES": 10**6, "MAX_BYTES": "1GiB", "LEVEL": 1, "LOCK_LIMIT": 0.5}),
        own_files=files(BACKEND=OWN_FILES, OPTIONS={"REGION": "eu"}, TIMEOUT=None),
        table=table(OPTIONS={"MAX_ENTRIES": 10**6, "PRECISION": "milliseconds"}, TIMEOUT=None),
        own_table=table(BACKEND=OWN_TABLE, LOCATION="another", OPTIONS={"REGION": "eu"}),
        memcached=memcached(OPTIONS={"POOL_SIZE": 5, "timeout": 3}),
        redis=redis(OPTIONS={"parser_class": "redis.connection.PythonParser"}),
        own=redis(BACKEND=OWN_REDIS, OPTIONS={"REGION": "eu"}),
        codec=redis(OPTIONS={**SERIALIZER, "COMPRESSION_LEVEL": 3}),
        reverse=redis(REVERSE_KEY_FUNCTION="json.loads", timeout=5),
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
    ({"BACKEND": "hotclub.django.Redis"}, "E004", ["mean 'hotclub.django.RedisCache'"]),
    (redis(LOCATION=f"http://me:{SECRET}@x"), "E001", ["cannot read LOCATION", "redis://"]),
    (redis(LOCATION=""), "E001", ["name a server", "redis://127.0.0.1:6379/1"]),
    (redis(OPTIONS={"READ_FROM": "anyone"}), "E001", ["'READ_FROM'", "'anyone'", "'replicas'"]),
    (redis(OPTIONS={"socket_timout": 1}), "E001", ["'socket_timout'", "mean 'socket_timeout'?"]),
    (redis(OPTIONS={"PASSWORD": {SECRET}}), "E001", ["'PASSWORD'", "must be text"]),
    (redis(OPTIONS={"password": SECRET, "CREDENTIALS": dict}), "E001", ["both a password and"]),
    (redis(OPTIONS={"ssl_ca_certs": "ca.pem"}), "E001", ["no TLS", "rediss://"]),
    (
        redis(LOCATION="rediss://x", OPTIONS={"ssl_ca_certs": "no-such-file.pem"}),
        "E001",
        ["no-such-file.pem"],
    ),
    (redis(OPTIONS={"serializer": "no.such.Serializer"}), "E001", ["'serializer'", "no.such"]),
    (redis(OPTIONS={**SERIALIZER, "COMPRESOR": "x"}), "W001", ["'COMPRESOR'", "mean COMPRESSOR?"]),
    (redis(BACKEND=OWN_REDIS, OPTIONS={"READ_FORM": "any"}), "W001", ["mean READ_FROM?"]),
    (redis(BACKEND=OWN_REDIS, OPTIONS={"READ_FROM": 1}), "E001", ["'READ_FROM'", "is 1"]),
    (redis(TIMEOUT="soon"), "W002", ["'TIMEOUT'", "takes 300 "]),
    (redis(READ_FROM="any"), "W003", ["'READ_FROM'", "Move READ_FROM into OPTIONS"]),
    (redis(PASSWORD=SECRET), "W003", ["'PASSWORD'"]),
    (redis(OPTIONS={"MAX_ENTRIES": "many"}), "W005", ["'MAX_ENTRIES'", "no effect", "maxmemory"]),
    (redis(OPTIONS={"CULL_FREQUENCY": 2}), "W005", ["'CULL_FREQUENCY'", "no effect"]),
    (files(OPTIONS={"MAX_BYTES": "lots"}), "E001", ["'MAX_BYTES'", "whole number", "'lots'"]),
    (files(OPTIONS={"LEVEL": 10}), "E001", ["'LEVEL'", "from 0 to 9", "not 10"]),
    (files(OPTIONS={"LOCK_LIMIT": 0}), "E001", ["'LOCK_LIMIT'", "seconds above 0"]),
    (files(OPTIONS={"MAX_ENTRIES": float("inf")}), "E001", ["'MAX_ENTRIES'", "whole number"]),
    (
        files(OPTIONS={"POLICY": "lru"}),
        "E001",
        ["'POLICY'", "is refused", "FileBasedCache", "LEVEL"],
    ),
    (files(OPTIONS={"level": 1}), "E001", ["'level'", "is refused", "mean LEVEL?"]),
    (files(OPTIONS={"MAX_ENTRIES": "many"}), "W002", ["'MAX_ENTRIES'", "Django takes 300"]),
    (files(TIMEOUT="soon"), "W002", ["'TIMEOUT'", "takes 300 "]),
    (files(LEVEL=1), "W003", ["'LEVEL'", "Move LEVEL into OPTIONS"]),
    (files(BACKEND=OWN_FILES, OPTIONS={"LEVLE": 1}), "W001", ["OwnFileBasedCache", "mean LEVEL?"]),
    (files(BACKEND=OWN_FILES, OPTIONS={"LEVEL": 10}), "E001", ["'LEVEL'", "from 0 to 9"]),
    ({"BACKEND": "hotclub.django.FileCache"}, "E004", ["mean 'hotclub.django.FileBasedCache'"]),
    (table(OPTIONS={"PRECISION": 5}), "E001", ["'PRECISION'", '"milliseconds"', "not 5"]),
    (table(OPTIONS={"precision": "seconds"}), "E001", ["is refused", "mean PRECISION?"]),
    (
        table(OPTIONS={"MAX_BYTES": 5}),
        "E001",
        [
            "'MAX_BYTES'",
            "is refused",
            "DatabaseCache",
            "It has: CULL_FREQUENCY, MAX_ENTRIES, PRECISION",
        ],
    ),
    (table(OPTIONS={"MAX_ENTRIES": "many"}), "W002", ["'MAX_ENTRIES'", "Django takes 300"]),
    (table(TIMEOUT=0.5), "W002", ["'TIMEOUT'", "0.5", "takes 0 "]),
    (table(PRECISION="seconds"), "W003", ["'PRECISION'", "Move PRECISION into OPTIONS"]),
    (table(LOCATION=""), "E001", ["names no table", "createcachetable"]),
    (table(LOCATION="t_in_nowhere"), "W007", ["'t_in_nowhere'", "'nowhere'", "DATABASE_ROUTERS"]),
    (table(BACKEND=OWN_TABLE, OPTIONS={"PRECISON": 1}), "W001", ["OwnDatabaseCache", "PRECISION?"]),
    (table(BACKEND=OWN_TABLE, OPTIONS={"PRECISION": 1}), "E001", ["'PRECISION'", "not 1"]),
    ({"BACKEND": "hotclub.django.DatabasCache"}, "E004", ["mean 'hotclub.django.DatabaseCache'"]),
    (lite(OPTIONS={"MAX_BYTES": "lots"}), "E001", ["'MAX_BYTES'", "64MiB", "not 'lots'"]),
    (lite(OPTIONS={"EVICTION": "lru"}), "E001", ["'EVICTION'", '"use", "age", "never"']),
    (lite(OPTIONS={"SYNCHRONUS": "off"}), "E001", ["is refused", "mean SYNCHRONOUS?"]),
    (lite(OPTIONS={"CULL_FREQUENCY": "few"}), "W002", ["'CULL_FREQUENCY'", "Django takes 3"]),
    (lite(MAX_BYTES=5), "W003", ["'MAX_BYTES'", "Move MAX_BYTES into OPTIONS"]),
    (lite(LOCATION=""), "E001", ["would not open", "needs a file"]),
    (lite(LOCATION=":memory:"), "E001", ["would not open", "LocMemCache"]),
    ({"BACKEND": "hotclub.django.SqliteCache"}, "E004", ["mean 'hotclub.django.SQLiteCache'"]),
    (memcached(OPTIONS={"MAX_ENTRIES": 5}), "W005", ["'MAX_ENTRIES'", "no effect", "-m"]),
    (memcached(OPTIONS={"hasher": object}), "E001", ["would not open", "hasher is refused"]),
    (memcached(LOCATION=""), "E001", ["names no node"]),
    (memcached(POOL_SIZE=5), "W003", ["'POOL_SIZE'", "Move POOL_SIZE into OPTIONS"]),
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
    assert SECRET not in f"{finding[1]} {finding[2]}"


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


PREFIXED = {"KEY_PREFIX": "b", "OPTIONS": {"CLEAR": "prefix"}}
SESSIONS = {
    "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
    "SESSION_CACHE_ALIAS": "sessions",
}


@pytest.fixture
def sessions_in_a_cache() -> Iterator[None]:
    """No decorator: that would end before the settings of ``found``, which would put these back."""
    with override_settings(**SESSIONS):
        yield


def test_clear_that_ends_the_sessions_is_told(sessions_in_a_cache: None, found: Any) -> None:
    ((name, message, hint),) = found(
        default=redis(LOCATION="redis://localhost:6379/1"),
        sessions=redis(LOCATION=f"redis://:{SECRET}@127.0.0.1:6379", OPTIONS={"db": 1}),
    )
    assert name == "hotclub.W006"
    assert "clear() of CACHES['default'] ends the sessions in CACHES['sessions']" in message
    assert "database redis://127.0.0.1:6379/1." in message
    assert "CLEAR = 'prefix'" in hint
    assert SECRET not in message
    assert found(default=redis(OPTIONS={"CLEAR": "prefix"}), sessions=redis())
    assert found(default=redis(), sessions=redis(LOCATION="redis://cache.example:6380/2")) == []
    assert found(default=redis(**PREFIXED), sessions=redis(KEY_PREFIX="a")) == []
    assert found(sessions=redis()) == []


def test_clear_that_ends_the_sessions_in_a_table_is_told(
    sessions_in_a_cache: None, found: Any
) -> None:
    ((name, message, hint),) = found(default=table(), sessions=table(KEY_PREFIX="s"))
    assert name == "hotclub.W006"
    assert "ends the sessions in CACHES['sessions']: they share the table 'cached'." in message
    assert hint == "Give each a table of its own."
    assert found(default=table(), sessions=table(LOCATION="sessions")) == []


def test_aliases_of_one_table_with_prefixes_of_their_own_are_told(found: Any) -> None:
    ((name, message, _),) = found(a=table(KEY_PREFIX="a"), b=table(KEY_PREFIX="b"))
    assert name == "hotclub.W006"
    assert "clear() of CACHES['a'], CACHES['b'] takes the entries of" in message
    assert found(a=table(), same=table(TIMEOUT=5)) == []


class Routes:
    """A router of a site's own."""

    def __init__(self, reads: str, writes: str) -> None:
        self.reads, self.writes = reads, writes

    def db_for_read(self, model: Any, **_: Any) -> str:
        return self.reads

    def db_for_write(self, model: Any, **_: Any) -> str:
        return self.writes


@pytest.fixture(params=[("away", "default"), ("default", "away")], ids=["reads", "writes"])
def astray(request: pytest.FixtureRequest) -> Iterator[None]:
    """Routers that send some of what tables are asked to nowhere. Before ``found``, as above."""
    with override_settings(DATABASE_ROUTERS=[Routes(*request.param)]):
        yield


def test_a_table_whose_reads_or_writes_go_astray_is_told(astray: None, found: Any) -> None:
    ((name, message, _),) = found(lone=table())
    assert name == "hotclub.W007"
    assert "'cached' is in the database 'away', which DATABASES does not have" in message


def test_a_table_where_there_is_no_database_is_told() -> None:
    answer = programs.run(
        """
        from django.conf import settings
        cached = {"BACKEND": "hotclub.django.DatabaseCache", "LOCATION": "cached"}
        settings.configure(CACHES={"default": cached})
        import django
        django.setup()
        from hotclub.django.checks import check_caches
        print([message.id for message in check_caches()])
        """
    )
    assert answer == "['hotclub.W007']\n"


def test_aliases_apart_by_their_prefix_are_told_that_clear_takes_both(found: Any) -> None:
    ((name, message, _),) = found(a=redis(KEY_PREFIX="a"), b=redis(**PREFIXED), c=redis())
    assert name == "hotclub.W006"
    assert (
        "clear() of CACHES['a'], CACHES['c'] takes the entries of CACHES['a'], CACHES['b']"
        in message
    )
    assert found(a=redis(), same=redis(TIMEOUT=5)) == []
    assert found(a=redis(KEY_PREFIX="a", OPTIONS={"CLEAR": "prefix"}), b=redis(**PREFIXED)) == []


def test_what_is_not_ours_is_left_alone(found: Any) -> None:
    django = "django.core.cache.backends.locmem.LocMemCache"
    assert found(
        theirs={"BACKEND": django, "OPTIONS": {"POLICY": "mru"}},
        missing={"BACKEND": "no.such.Cache", "OPTIONS": None},
        dummy={"BACKEND": "hotclub.django.DummyCache", "OPTIONS": {"SERIALIZER": "x", "MAX_BYTES": 0}},
        own={"BACKEND": OWN, "OPTIONS": {"REGION": "eu"}},
    ) == []  # fmt: skip


def test_a_file_cache_that_is_right_opens_as_the_checks_say(tmp_path: Path, configure: Any) -> None:
    """No check makes its directory."""
    place = tmp_path / "cache"
    caches = configure(default=files(LOCATION=str(place), OPTIONS={"LEVEL": 1}))
    assert check_caches() == []
    assert not place.exists()
    caches["default"].set("k", 1)
    assert place.exists()


def test_djangos_own_checks_know_our_file_cache(tmp_path: Path, configure: Any) -> None:
    configure(
        default=files(LOCATION=str(tmp_path / "media" / "cache")),
        fine=files(LOCATION=str(tmp_path / "cache")),
    )
    with override_settings(MEDIA_ROOT=str(tmp_path / "media")):
        (exposed,) = djangos.check_cache_location_not_exposed(None)
    assert exposed.id == "caches.W002"
    assert "'default'" in exposed.msg
    assert "is inside MEDIA_ROOT" in exposed.msg
    assert djangos.check_file_based_cache_is_absolute(None) == []


def test_djangos_own_check_tells_a_relative_location(
    tmp_path: Path, monkeypatch: Any, configure: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    configure(default=files(LOCATION="cache"))
    (relative,) = djangos.check_file_based_cache_is_absolute(None)
    assert relative.id == "caches.W003"


def test_the_docstring_lists_every_id() -> None:
    for name in {row[1] for row in ONE_FINDING} | {"E002", "W006", "W007"}:
        assert f"hotclub.{name}  " in str(the_table)


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


ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(page.name, block[1], id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), start=1)
]
SETTINGS = [block for block in BLOCKS if "CACHES = " in block.values[1]]
PROGRAMS = [block for block in BLOCKS if block not in SETTINGS]


def stage(**more: Any) -> dict[str, Any]:
    """What the guides leave to the reader."""
    return {"read_secret": lambda name: f"the secret of {name}", **more}


@pytest.mark.parametrize(("page", "code"), SETTINGS)
def test_the_settings_of_the_guides_have_no_findings(page: str, code: str) -> None:
    if "/etc/ssl/redis" in code:
        code = code.replace("/etc/ssl/redis", str(certificates().authority.parent))
    written = stage()
    exec(compile(code, page, "exec"), written)
    sessions = {name: value for name, value in written.items() if name.startswith("SESSION_")}
    with override_settings(CACHES=written["CACHES"], **sessions):
        assert check_caches() == []


@pytest.mark.parametrize(("page", "code"), PROGRAMS)
def test_the_programs_of_the_guides_run(
    page: str, code: str, configure: Any, redis_server: Any
) -> None:
    configure(default={"BACKEND": REDIS, "LOCATION": f"redis://127.0.0.1:{redis_server.port}/1"})
    written = stage(cache=cache, hotclub=hotclub, load=lambda number: {"id": number})
    exec(compile(code, page, "exec"), written)
    for view in filter(inspect.iscoroutinefunction, written.values()):
        assert asyncio.run(view(None)) == 1


OPTIONS = ROOT / "docs" / "reference" / "redis-options.md"
IN_FIRST_COLUMN = re.compile(r"^\| (`.*?`) \|", re.MULTILINE)


def test_the_page_of_the_redis_options_has_each_of_them_once() -> None:
    found: dict[str, list[str]] = {"Ignored": [], "Refused": [], "accepted": []}
    for part in OPTIONS.read_text(encoding="utf-8").split("\n## ")[1:]:
        kind = part.split("\n")[0]
        names = re.findall(r"`(\w+)`", " ".join(IN_FIRST_COLUMN.findall(part)))
        found[kind if kind in found else "accepted"] += names
    assert sorted(found["accepted"]) == sorted(ACCEPTED)
    assert sorted(found["Ignored"]) == sorted(IGNORED)
    assert sorted(found["Refused"]) == sorted(REFUSED)
