"""Django with what the tests need and nothing more, and a fresh cache for each test."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import django
import pytest
from _pytest.runner import runtestprotocol
from django.conf import settings
from django.core.cache import caches

import databases
from backends import BACKENDS, KEEPING, Backend, folder_of_the_topics
from doors import DOORS, through_both

pytest_plugins = ["redis_fixtures", "redis_breaking", "memcached_fixtures", "database_fixtures"]


def pytest_configure() -> None:
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES=databases.in_folder(folder_of_the_topics().name),
        DATABASE_ROUTERS=databases.ROUTERS,
        INSTALLED_APPS=["django.contrib.sessions"],
        ROOT_URLCONF="pages",
        SECRET_KEY="of no worth",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        USE_TZ=True,
    )
    django.setup()


def pytest_unconfigure() -> None:
    databases.close()
    folder_of_the_topics().cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Each test in a context of its own.

    Django leaves a variable in the context for each CACHES that a test sets, and asgiref looks at all of
    them for each async verb that runs in a thread: after 9,000 tests one took 35 ms.
    """
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    contextvars.copy_context().run(runtestprotocol, item, nextitem=nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture
def configure() -> Iterator[Callable[..., Any]]:
    """``configure(default={...})``: the CACHES setting, as a user writes it, for this test."""
    from django.test import override_settings

    with ExitStack() as stack:

        def apply(**aliases: dict[str, Any]) -> Any:
            aliases.setdefault("default", {"BACKEND": "hotclub.django.DummyCache"})
            stack.enter_context(override_settings(CACHES=aliases))
            return caches

        yield apply


class Make:
    """``make(TIMEOUT=5, …)``: a cache of one backend, with those settings, behind one door."""

    def __init__(self, configure: Any, backend: Backend, door: Callable[[Any], Any]) -> None:
        self.configure, self.backend, self.door = configure, backend, door

    def __call__(self, **more: Any) -> Any:
        return self.door(self.configure(default=self.backend.settings(**more))["default"])


@pytest.fixture(**through_both(KEEPING))
def make(request: pytest.FixtureRequest, configure: Any) -> Iterator[Make]:
    """What makes caches of settings of the test's own: every backend that keeps, both doors."""
    backend, door = request.param
    with DOORS[door]() as through:
        yield Make(configure, backend, through)


@pytest.fixture
def cache(make: Make) -> Any:
    """A cache of default settings: every backend that keeps, both doors."""
    return make()


@pytest.fixture(params=KEEPING, ids=lambda backend: backend.name)
def kind(request: pytest.FixtureRequest) -> Any:
    """A backend that keeps; that of ``plain``."""
    return request.param


@pytest.fixture
def plain(kind: Backend, configure: Any) -> Any:
    """A cache of default settings, sync verbs only: for threads, processes and loops."""
    return configure(default=kind.settings())["default"]


class Pair(Make):
    """``pair(TIMEOUT=5, …)``: our cache, and Django's own class with the same settings."""

    def __call__(self, **more: Any) -> tuple[Any, Any]:
        own, theirs = self.backend.settings(**more), self.backend.their_settings(**more)
        found = self.configure(default=own, theirs=theirs)
        return self.door(found["default"]), found["theirs"]


@pytest.fixture(**through_both(BACKENDS))
def pair(request: pytest.FixtureRequest, configure: Any) -> Iterator[Pair]:
    """What makes pairs of ours and Django's: every backend, both doors."""
    backend, door = request.param
    with DOORS[door]() as through:
        yield Pair(configure, backend, through)


@pytest.fixture(scope="session")
def database() -> Iterator[Any]:
    """The tables of the tests, in an SQLite database in memory."""
    from django.contrib.sessions.models import Session
    from django.db import connection, connections

    from people import Person

    with connection.schema_editor() as schema:
        schema.create_model(Person)
        schema.create_model(Session)
    yield connection
    connections["default"].connection.close()
