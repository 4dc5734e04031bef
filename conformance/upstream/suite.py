"""The words of the other table: the tests of a package that lives on Django's cache, run by pytest.

The rows are in `suites.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from upstream.kinds import LOCMEM, Command, Exclusion, Expected, Series, Source

# pytest neither looks for a configuration above its folder nor leaves a cache in it. The plugin comes
# first: it must be there before another one reads settings.
PYTEST = ("-m", "pytest", "-p", "upstream.suite_plugin", "-p", "no:cacheprovider")
QUIET = ("-q", "-c", os.devnull, "--rootdir=.")


@dataclass(frozen=True)
class Suite:
    """One row: the tests of one package. A group is one of its settings modules."""

    name: str
    package: str
    version: str
    proof: str
    """A file without which the source distribution has no tests."""
    labels: tuple[str, ...]
    """What pytest is given: files of tests."""
    settings: str
    """The settings module; `{group}` in it is the name of the group. Empty if the tests configure Django."""
    replaced: str
    """Runs when there is no `--backend`: where the figures come from."""
    expected: dict[str, Expected]
    exclusions_of_all: tuple[Exclusion, ...] = ()
    replaces: tuple[str, ...] = (LOCMEM,)
    """The classes that ours stands in for, in the settings module; what a test sets itself stays."""
    keeps_locations: bool = False
    """Only the address of the server in LOCATION changes; else each cache becomes a database."""
    few_servers: bool = False
    """The settings name many servers. One database is left of them, and two caches like the default one."""
    keep: tuple[str, ...] = ("tests/",)
    """What is unpacked of the source distribution."""
    options: tuple[str, ...] = ()
    """More options of pytest."""
    variables: dict[str, str] = field(default_factory=dict)
    """For settings modules that ask the environment."""
    store: str = "redis"
    client: str = "redis"

    @property
    def groups(self) -> tuple[str, ...]:
        """Every settings module."""
        return tuple(self.expected)

    @property
    def usual_groups(self) -> tuple[str, ...]:
        """The first, when nobody names groups."""
        return self.groups[:1]

    def source(self, django: str) -> Source:
        """Where the tests come from; the same for every Django."""
        del django
        return Source(self.package, self.version, self.proof, self.keep)

    def command(self, group: str) -> Command:
        """How pytest is called."""
        settings = self.settings.format(group=group)
        variables = {"DJANGO_SETTINGS_MODULE": settings} if settings else {}
        return Command((*PYTEST, *QUIET, *self.options, *self.labels), variables | self.variables)

    def exclusions(self, group: str, series: Series) -> tuple[Exclusion, ...]:
        """What is left out, the same for every group."""
        del group
        return tuple(e for e in self.exclusions_of_all if e.since <= series)

    def expect(self, group: str, series: Series) -> Expected | None:
        """The figures to reach."""
        del series
        return self.expected[group]
