"""The words of the table: a kind of cache, what is left out of its tests, what must pass.

The rows are in `table.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

Series = tuple[int, int]
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
GROUPS = ("own", "generic", "apps", "async")

# The helper caches of Django's tests are subclasses of LocMemCache; they are built over our class instead.
# The liberal one stores a key with spaces and of 300 characters, which no memcached takes.
LIBERAL, CLOSEABLE, FAILING = (
    "cache.liberal_backend",
    "cache.closeable_cache",
    "cache.failing_cache",
)
DERIVED = (LIBERAL, CLOSEABLE, FAILING)

APPS = (
    "sessions_tests.tests.CacheSessionTests",
    "sessions_tests.tests.CacheDBSessionTests",
    "sessions_tests.tests.CacheDBSessionWithTimeZoneTests",
    "template_tests.syntax_tests.test_cache",
    "check_framework.test_caches",
    "async.tests.CacheTest",
    "generic_views.test_base.TemplateViewTest",
    "sitemaps_tests.test_http",
    "csrf_tests.tests",
)

# The classes of `cache.tests` that belong to one backend; all its other classes are the generic group.
BACKEND_CLASSES = (
    "DummyCacheTests",
    "LocMemCacheTests",
    "FileBasedCacheTests",
    "FileBasedCachePathLibTests",
    "DBCacheTests",
    "DBCacheWithTimeZoneTests",
    "CreateCacheTableForDBCacheTests",
    "RedisCacheTests",
    "PyMemcacheCacheTests",
    "PyLibMCCacheTests",
)


@dataclass(frozen=True)
class Exclusion:
    """A test that reads private parts of one implementation. `test` is `Class.method`; `*` matches anything.

    Optional ones are private names that a drop-in can mirror cheaply: `--with-optional` runs them.
    """

    test: str
    reason: str
    optional: bool = False
    since: Series = (0, 0)


SPECIALIZED = Exclusion(
    "*.test_*_async_uses_specialized_implementation",
    "mocks the sync method that the async group has already replaced",
    since=(6, 1),
)


@dataclass(frozen=True)
class Source:
    """A source distribution on PyPI; `proof` is a file in it without which the tests are not there."""

    package: str
    version: str
    proof: str
    keep: tuple[str, ...] = ("tests/",)
    """What is unpacked. Not the package itself: what is imported is what pip installed."""


@dataclass(frozen=True)
class Command:
    """The arguments of a Python that runs the tests of one group."""

    arguments: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    folder: str = ""


class Subject(Protocol):
    """What the driver asks of a row: a kind of cache here, the tests of another package in `suites.py`."""

    @property
    def name(self) -> str: ...
    @property
    def replaced(self) -> str: ...
    @property
    def store(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def usual_groups(self) -> tuple[str, ...]: ...

    def source(self, django: str) -> Source: ...
    def command(self, group: str) -> Command: ...
    def exclusions(self, group: str, series: Series) -> tuple[Exclusion, ...]: ...
    def expect(self, group: str, series: Series) -> Expected | None: ...


@dataclass(frozen=True)
class Expected:
    """What Django's own class does: this many tests pass, this many skip themselves, this many may fail."""

    passed: int
    skipped: int = 0
    may_fail: int = 0

    @property
    def found(self) -> int:
        """How many tests there must be at least, or the selection has lost some."""
        return self.passed + self.skipped + self.may_fail


@dataclass(frozen=True)
class Kind:
    """One row: a kind of cache, named after the Django class that ours replaces."""

    name: str
    replaced: str
    own: tuple[str, ...]
    store: str
    expected: dict[str, Expected]
    own_exclusions: tuple[Exclusion, ...] = ()
    generic_exclusions: tuple[Exclusion, ...] = ()
    apps_exclusions: tuple[Exclusion, ...] = ()
    derived: tuple[str, ...] = DERIVED
    base_classes: int = 1
    """How many of the own classes inherit `BaseCacheTests`; each lacks eight tests before Django 6.1."""
    client: str = ""
    """The Python library whose exceptions the tests name."""
    groups: tuple[str, ...] = field(default=GROUPS)

    @property
    def usual_groups(self) -> tuple[str, ...]:
        """What runs when nobody names groups: all of them."""
        return self.groups

    def source(self, django: str) -> Source:
        """Where the tests come from: the Django whose version is named."""
        return Source("Django", django, "tests/runtests.py")

    def command(self, group: str) -> Command:
        """How a group is run, in the folder of the source distribution."""
        arguments = ("runtests.py", "--settings=upstream.settings", "--parallel=1", "--noinput")
        return Command((*arguments, *self.labels(group)), folder="tests")

    def labels(self, group: str) -> tuple[str, ...]:
        """The test labels of a group, as Django's `runtests.py` takes them."""
        return {"generic": ("cache.tests",), "apps": APPS}.get(group, self.own)

    def exclusions(self, group: str, series: Series) -> tuple[Exclusion, ...]:
        """What this group leaves out under this Django series."""
        chosen = {
            "own": self.own_exclusions,
            "async": (*self.own_exclusions, SPECIALIZED),
            "generic": self.generic_exclusions,
            "apps": self.apps_exclusions,
        }.get(group, ())
        return tuple(exclusion for exclusion in chosen if exclusion.since <= series)

    def expect(self, group: str, series: Series) -> Expected | None:
        """The figures to reach, or None for a series nobody has measured yet."""
        if not (5, 2) <= series <= (6, 1):
            return None
        figures = self.expected[group]
        if series < (6, 1):
            missing = {"own": 8 * self.base_classes, "generic": 15}.get(group, 0)
            return replace(figures, passed=figures.passed - missing)
        return figures


def per_class(
    classes: tuple[str, ...],
    reason: str,
    *methods: str,
    optional: bool = False,
    since: Series = (0, 0),
) -> tuple[Exclusion, ...]:
    """One exclusion for each method of each class, all for the same reason."""
    return tuple(
        Exclusion(f"{name}.{method}", reason, optional, since)
        for name in classes
        for method in methods
    )
