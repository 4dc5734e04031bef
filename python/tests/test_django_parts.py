"""The parts of Django that use caches: pages, fragments, sessions, the proxy, signals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.core.cache.utils import make_template_fragment_key
from django.test import AsyncClient, Client, override_settings
from django.utils.module_loading import import_string

import pages
from backends import KEEPING


@pytest.fixture(params=KEEPING, ids=lambda backend: backend.name)
def site(request: pytest.FixtureRequest, configure: Any) -> Any:
    """A client of the site, whose default cache is one of ours, and new."""
    configure(default=request.param.settings(), other=request.param.settings())
    pages.calls.clear()
    return Client()


def text(response: Any) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_a_cached_page_is_made_once(site: Any) -> None:
    first, second = site.get("/page"), site.get("/page")
    assert [text(first), text(second)] == ["page 1", "page 1"]
    assert second["X-Own"] == "kept"
    assert second["Cache-Control"] == first["Cache-Control"] == "max-age=60"
    assert second["Expires"] == first["Expires"]


def test_a_cached_page_is_made_for_each_header_and_query(site: Any) -> None:
    asked = [
        {"HTTP_X_REGION": "fr"},
        {"HTTP_X_REGION": "de"},
        {"QUERY_STRING": "a=1"},
    ]
    for _ in range(2):
        assert [text(site.get("/page", **extra)) for extra in asked] == [
            "page 1",
            "page 2",
            "page 3",
        ]
    cache.clear()
    assert text(site.get("/page", **asked[0])) == "page 4"


def test_a_fragment_is_made_once_for_each_argument(site: Any) -> None:
    answers = [text(site.get("/fragment", {"name": name})) for name in ("é", "é", "b", "é")]
    assert answers == ["é 1", "é 1", "b 3", "é 1"]
    key = make_template_fragment_key("side", ["é"])
    assert cache.get(key) == "é 1"
    assert cache.delete(key) is True
    assert text(site.get("/fragment", {"name": "é"})) == "é 5"


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_sessions_live_in_the_cache(site: Any, database: Any, engine: str) -> None:
    with override_settings(
        SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ):
        assert [text(site.get("/visits")) for _ in range(3)] == ["1", "2", "3"]
        key = f"django.contrib.sessions.{engine}{site.cookies['sessionid'].value}"
        assert cache.get(key)["visits"] == 3
        assert text(Client().get("/visits")) == "1"
        cache.delete(key)
        assert text(site.get("/visits")) == ("1" if engine == "cache" else "4")


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_the_store_of_sessions_keeps_creates_and_deletes(
    site: Any, database: Any, engine: str
) -> None:
    store = import_string(f"django.contrib.sessions.backends.{engine}.SessionStore")
    session = store()
    session["name"] = "Django"
    session["things"] = [1, {"a": 2}]
    session.create()
    again = store(session.session_key)
    assert dict(again.items()) == {"name": "Django", "things": [1, {"a": 2}]}
    again.cycle_key()
    assert not store().exists(session.session_key)
    assert again.exists(again.session_key)
    again.flush()
    assert store(session.session_key).load() == {}


def test_async_sessions_work(site: Any) -> None:
    store = import_string("django.contrib.sessions.backends.cache.SessionStore")

    async def main() -> None:
        session = store()
        await session.aset("name", "Django")
        await session.asave(must_create=True)
        again = store(session.session_key)
        assert await again.aget("name") == "Django"
        assert await again.aexists(session.session_key)
        await again.adelete()
        assert not await store().aexists(session.session_key)

    asyncio.run(main())


def test_an_async_view_uses_the_async_verbs(site: Any) -> None:
    async def main() -> str:
        return text(await AsyncClient().get("/asynchronous"))

    assert asyncio.run(main()) == "2"


def test_the_proxy_is_the_default_cache(site: Any) -> None:
    cache.set("k", 1)
    assert caches["default"].get("k") == 1
    assert "k" in cache
    assert caches["other"].get("k") is None
    cache.key_prefix = "changed"
    assert caches["default"].key_prefix == "changed"
    assert cache.get("k") is None
    cache.key_prefix = ""
    assert (text(site.get("/proxied")), text(site.get("/proxied"))) == ("0", "0")


def test_all_caches_can_be_listed_and_closed(site: Any) -> None:
    opened = caches["default"]
    assert caches.all(initialized_only=True) == [opened]
    assert [type(one).__name__ for one in caches.all()] == [type(opened).__name__] * 2
    opened.set("k", 1)
    caches.close_all()
    assert opened.get("k") == 1


def test_createcachetable_and_check_pass_our_classes_by(site: Any, database: Any) -> None:
    from django.core.management import call_command

    call_command("createcachetable", verbosity=0)
    call_command("check", tags=["caches"], verbosity=0)
