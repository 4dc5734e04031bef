"""The restricted unpickler under the codecs, and through the cache."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, JsonResponse
from django.test import Client, override_settings
from hotclub.django.codecs import NotDecodable
from hotclub.django.safe_pickle import SafePickle
from hotclub.errors import CacheDecodeError

import pages
from packages import need_package
from redis_values import DATE, codec, options_of, same
from safe_shapes import (
    KEY,
    OF_PAGES,
    OF_PAGES_EXACTLY,
    OWN,
    Bomb,
    Point,
    _own_module,  # noqa: F401
)
from servers import RedisServer

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
